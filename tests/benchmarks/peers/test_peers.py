"""What leaves for RecBole's environment, and what is made of what comes back."""

import itertools
import json
import shutil
from pathlib import Path
from subprocess import CalledProcessError
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner, Result

from benchmarks.peers import __main__ as command
from benchmarks.peers import environment, runs
from benchmarks.peers.baseline import BestBaseline, read_best_baseline
from benchmarks.peers.examples import batches, blocks, padded, positions
from benchmarks.peers.export import Export, export_corpus
from benchmarks.peers.ranks import target_ranks
from benchmarks.peers.results import figures
from benchmarks.peers.settings import MODELS, Settings, grid
from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import CorpusError, TrainingError
from nextvec.training.evaluation.pools import index_pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.run import train
from nextvec.training.run_folder import TEST_BASELINES
from nextvec.training.vectors import l2_normalize

NUM_ITEMS = 150


@pytest.fixture
def corpus(rng: np.random.Generator) -> Corpus:
    """Sixty sequences of different items; one item in fifty has no vector."""
    sequences = [rng.permutation(NUM_ITEMS)[:length] for length in range(15, 135, 2)]
    rows = np.concatenate(sequences).astype(np.int64)
    rows[rng.random(len(rows)) < 0.02] = -1
    lengths = [len(sequence) for sequence in sequences]
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(NUM_ITEMS, 4)).astype(np.float32)),
        ids=[f"item {row}" for row in range(NUM_ITEMS)],
        rows=rows,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        document_ids=[f"session {number}" for number in range(len(sequences))],
        card=CorpusCard(
            name="tiny",
            encoder="random",
            source="synthetic",
            vectors_split={"seed": 3, "validation": 0.3, "test": 0.3},
        ),
        kind="items",
    )


@pytest.fixture
def export(corpus: Corpus) -> Export:
    split = split_documents(corpus, SplitConfig(seed=3, validation=0.3, test=0.3))
    return export_corpus(corpus, split)


@pytest.fixture
def baseline(export: Export) -> BestBaseline:
    """Its every second rank is 1, the others 7."""
    ranks = {
        part: np.where(np.arange(len(windows)) % 2 == 0, 1, 7)
        for part, windows in export.windows.items()
    }
    return BestBaseline(name="copy-last", k=5, ranks=ranks)


def test_training_sequences_leave_without_unknown_items(
    corpus: Corpus, export: Export
) -> None:
    split = split_documents(corpus, SplitConfig(seed=3, validation=0.3, test=0.3))

    first = export.rows[: export.offsets[1]]

    np.testing.assert_array_equal(first, corpus.known(int(split.train[0])))
    assert len(export.offsets) == len(split.train) + 1
    assert export.offsets[-1] == len(export.rows)
    assert export.rows.min() >= 0


def test_the_file_holds_what_was_exported(export: Export, tmp_path: Path) -> None:
    export.save(tmp_path / "export.npz")

    with np.load(tmp_path / "export.npz") as file:
        found = dict(file)

    assert found.keys() == export.arrays().keys()
    for name, values in export.arrays().items():
        np.testing.assert_array_equal(found[name], values)
    assert found["num_items"] == [NUM_ITEMS]
    context = found["test_context_rows"][0]
    assert (context >= 0).sum() == found["test_lengths"][0]


def test_documents_are_refused(corpus: Corpus) -> None:
    documents = Corpus(
        vectors=corpus.vectors,
        ids=corpus.ids,
        rows=np.arange(NUM_ITEMS),
        offsets=np.array([0, NUM_ITEMS]),
        document_ids=["one"],
        card=corpus.card,
    )

    with pytest.raises(CorpusError, match="tiny: expected item sequences"):
        export_corpus(documents, split_documents(corpus, SplitConfig()))


@pytest.mark.parametrize("excludes_context", [True, False])
def test_ranks_agree_with_this_project_s_ranker(
    corpus: Corpus,
    export: Export,
    rng: np.random.Generator,
    excludes_context: bool,
) -> None:
    windows = export.windows["test"]
    prediction_QD = torch.from_numpy(
        l2_normalize(rng.normal(size=(len(windows), 4)).astype(np.float32))
    )
    vectors_ND = torch.from_numpy(np.asarray(corpus.vectors))

    rank_Q = target_ranks(
        (prediction_QD @ vectors_ND.T).numpy(),
        windows.target_rows,
        windows.context_rows,
        excludes_context=excludes_context,
    )

    ranker = Ranker(
        vectors_ND,
        np.arange(NUM_ITEMS),
        windows,
        index_pool(corpus),
        exclude_context=excludes_context,
    )
    np.testing.assert_array_equal(rank_Q, ranker.ranks(prediction_QD))
    assert (rank_Q[windows.target_rows < 0] == NUM_ITEMS + 1).all()


@pytest.mark.parametrize(
    ("target", "context", "rank"),
    [
        pytest.param(0, [-1, -1], 1, id="best"),
        pytest.param(1, [-1, -1], 3, id="a tie counts against it"),
        pytest.param(1, [0, -1], 2, id="the context competes with nobody"),
        pytest.param(1, [1, -1], 5, id="an item that returns is a miss"),
        pytest.param(-1, [0, 1], 5, id="so is one that training never saw"),
    ],
)
def test_ranks(target: int, context: list[int], rank: int) -> None:
    scores = np.array([[0.9, 0.5, 0.5, 0.1]])

    found = target_ranks(
        scores, np.array([target]), np.array([context]), excludes_context=True
    )

    assert found.tolist() == [rank]


def test_a_score_that_compares_with_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        target_ranks(
            np.array([[np.nan, 1.0]]),
            np.array([0]),
            np.array([[1]]),
            excludes_context=True,
        )


def test_every_item_but_the_first_is_a_target_after_its_context() -> None:
    found = positions(np.array([0, 4, 5, 7]), context_length=2)

    assert [(e.start, e.stop) for e in found] == [(0, 1), (0, 2), (1, 3), (5, 6)]


@pytest.mark.parametrize("length", [1, 2, 5, 6, 7, 23])
def test_blocks_hold_every_target_once(length: int, rng: np.random.Generator) -> None:
    found = blocks(np.array([0, length]), context_length=5, rng=rng)

    targets = list(itertools.chain(*(range(e.start + 1, e.stop + 1) for e in found)))
    assert targets == list(range(1, length))
    assert all(1 <= e.stop - e.start <= 5 for e in found)


def test_an_epoch_deals_out_every_example_once(rng: np.random.Generator) -> None:
    examples = positions(np.array([0, 40, 300]), context_length=100)

    dealt = list(batches(examples, 8, rng))

    assert sorted(itertools.chain(*dealt), key=lambda e: e.stop) == examples
    assert {len(batch) for batch in dealt} <= {8, len(examples) % 8}


def test_padding_is_item_zero_and_lies_behind() -> None:
    rows = np.array([4, 0, 2, 3])

    items, lengths = padded(rows, positions(np.array([0, 4]), context_length=2))

    assert items.tolist() == [[5, 0], [5, 1], [1, 3]]
    assert lengths.tolist() == [1, 2, 2]


def test_figures_count_hits_and_what_training_never_saw(
    export: Export, baseline: BestBaseline
) -> None:
    windows = export.windows["test"]
    rank_Q = np.where(np.arange(len(windows)) % 3 == 0, 1, 6)

    found = figures(export, "test", rank_Q, baseline)

    (pool,) = found["pools"]
    share = (rank_Q == 1).mean()
    assert pool["hit_at"]["1"]["value"] == pytest.approx(share)
    assert pool["hit_at"]["1"]["low"] <= share <= pool["hit_at"]["1"]["high"]
    assert pool["hit_at"]["10"]["value"] == 1.0
    assert pool["mrr_at_10"] == pytest.approx(share + (1 - share) / 6)
    assert pool["num_windows"] == len(windows)
    assert pool["num_candidates"] == NUM_ITEMS
    assert found["num_unseen"] == (windows.target_rows < 0).sum()


def test_a_lift_is_over_the_baseline_on_the_same_windows(
    export: Export, baseline: BestBaseline
) -> None:
    rank_Q = np.where(np.arange(len(export.windows["test"])) % 3 == 0, 1, 6)

    (pool,) = figures(export, "test", rank_Q, baseline)["pools"]

    lift = (rank_Q == 1).mean() - (baseline.ranks["test"] == 1).mean()
    assert pool["lift"]["value"] == pytest.approx(lift)
    assert pool["lift"]["low"] < lift < pool["lift"]["high"]
    assert pool["baseline"] == "copy-last"
    assert pool["baseline_hit_at"]["10"] == 1.0


def test_ranks_of_other_windows_are_refused(
    export: Export, baseline: BestBaseline
) -> None:
    with pytest.raises(ValueError, match=r"expected \d+ ranks, got 1"):
        figures(export, "test", np.array([1]), baseline)
    short = BestBaseline(name="copy-last", k=5, ranks={"test": np.array([1])})
    with pytest.raises(ValueError, match=r"expected \d+ ranks, got 1"):
        figures(export, "test", baseline.ranks["test"], short)


@pytest.fixture
def run(corpus: Corpus, tmp_path: Path) -> Path:
    """A finished run on the corpus, of no more than a few steps."""
    config = TrainingConfig(
        architecture="linear",
        num_lags=2,
        bank_size=8,
        max_epochs=1,
        split_seed=3,
        validation_share=0.3,
        test_share=0.3,
        device="cpu",
    )
    train(corpus, config, tmp_path / "run", corpus_folder=tmp_path / "corpus")
    return tmp_path / "run"


def test_the_baseline_of_a_run_comes_with_its_ranks(
    corpus: Corpus, export: Export, run: Path
) -> None:
    split = split_documents(corpus, SplitConfig(seed=3, validation=0.3, test=0.3))
    card = read_checkpoint_card(run)

    found = read_best_baseline(run, corpus, split, export)

    for part, key in (("validation", "evaluation"), ("test", "test_evaluation")):
        (pool,) = card[key]["pools"]
        assert found.name == pool["baseline"]
        assert len(found.ranks[part]) == len(export.windows[part])
        for k, hit in pool["baseline_hit_at"].items():
            assert (found.ranks[part] <= int(k)).mean() == pytest.approx(hit)
    assert found.k == 10


def test_a_run_on_another_split_is_refused(
    corpus: Corpus, export: Export, run: Path
) -> None:
    split = split_documents(corpus, SplitConfig(seed=4, validation=0.3, test=0.3))

    with pytest.raises(
        TrainingError, match=r"expected a run on tiny \(.*, split .*got"
    ):
        read_best_baseline(run, corpus, split, export)


def test_a_run_with_ranks_of_other_windows_is_refused(
    corpus: Corpus, export: Export, run: Path
) -> None:
    split = split_documents(corpus, SplitConfig(seed=3, validation=0.3, test=0.3))
    ranks = load_file(run / TEST_BASELINES)
    save_file({"index": np.tile(ranks["index"], 2)}, run / TEST_BASELINES)

    with pytest.raises(
        TrainingError, match=r"ranks of \d+ test windows, got \d+: take"
    ):
        read_best_baseline(run, corpus, split, export)


def test_a_run_without_its_ranks_is_refused(
    corpus: Corpus, export: Export, run: Path
) -> None:
    split = split_documents(corpus, SplitConfig(seed=3, validation=0.3, test=0.3))
    (run / TEST_BASELINES).unlink()

    with pytest.raises(TrainingError, match="expected the ranks of its best baseline"):
        read_best_baseline(run, corpus, split, export)


def test_the_command_trains_once_and_writes_the_one_chosen_on_validation(
    corpus: Corpus, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_corpus(corpus, tmp_path / "corpus")
    trained = []

    def train(command: list[str], **_: object) -> None:
        path, plain = Path(command[-2]), command[-1]
        settings = Settings(**json.loads(plain))
        trained.append(settings)
        with np.load(command[-3]) as file:
            targets = {p: file[f"{p}_target_rows"] for p in ("validation", "test")}
        is_best = settings.network["hidden_size"] == 128
        np.savez(
            path,
            validation=np.full(len(targets["validation"]), 3),
            test=np.full(len(targets["test"]), 8),
            scores=np.array([0.1, 0.5 if is_best else 0.4, 0.2]),
            best_epoch=np.array([1]),
            seconds=np.array([2.5]),
            library=np.array(["RecBole 0"]),
        )

    fake = SimpleNamespace(run=train)
    monkeypatch.setattr(runs, "subprocess", fake)
    monkeypatch.setattr(runs, "make_environment", lambda _, where: where / "python")
    out, kept = tmp_path / "out", tmp_path / "runs"
    told = [tmp_path / "corpus", "--out", out, "--run", run, "--runs", kept]
    told += ["--model", "SASRec", "--seed", "0", "--seed", "1"]

    first = call(*told)
    # a fresh clone has the results alone
    shutil.rmtree(kept)
    second = call(*told)

    assert first.exit_code == second.exit_code == 0, first.output
    assert first.output == second.output

    assert [settings.seed for settings in trained] == [0, 0, 0, 0, 1]
    assert {path.suffix for path in out.iterdir()} == {".json"}
    written = json.loads((out / "SASRec-blocks-seed1.json").read_text())
    assert written["fingerprint"] == corpus.fingerprint
    assert written["split"]["seed"] == 3
    assert written["settings"]["network"]["hidden_size"] == 128
    assert written["best_epoch"] == 1
    assert [t["validation_hit_at_10"] for t in written["tried"]] == [0.4, 0.4, 0.5, 0.5]
    (pool,) = written["test_evaluation"]["pools"]
    assert pool["hit_at"]["10"]["value"] == 1.0
    assert pool["hit_at"]["5"]["value"] == 0.0
    assert pool["lift"]["value"] == 1.0 - pool["baseline_hit_at"]["10"]


def test_a_training_that_fails_is_named(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise CalledProcessError(1, command)

    fake = SimpleNamespace(run=fail, CalledProcessError=CalledProcessError)
    monkeypatch.setattr(runs, "subprocess", fake)
    monkeypatch.setattr(runs, "make_environment", lambda _, where: where / "python")

    with pytest.raises(TrainingError, match=r"training .*GRU4Rec.* failed"):
        runs.Runs(export, tmp_path, tmp_path).run(grid("GRU4Rec", "blocks", 0)[0])


def call(*told: object) -> Result:
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, [str(word) for word in told])


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(["--model", "BERT4Rec"], "or HSTU, got 'BERT4Rec'", id="model"),
        pytest.param(
            ["--model", "HSTU", "--examples", "positions"],
            "expected examples blocks, got positions",
            id="examples",
        ),
        pytest.param(["--width", "big"], "unable to parse string", id="width"),
        pytest.param([], "no corpus here", id="corpus"),
    ],
)
def test_a_wrong_call_is_told_what_was_expected(
    tmp_path: Path, told: list[str], words: str
) -> None:
    found = call(tmp_path, "--out", tmp_path / "out", "--run", tmp_path, *told)

    assert found.exit_code != 0
    assert words in " ".join(found.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("library", [environment.RECBOLE, environment.RECTOOLS])
def test_the_environment_is_made_once_for_the_same_pins(
    library: environment.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, called = tmp_path / f"{library.name}-venv", []

    def run(command: list[str], **_: object) -> None:
        called.append(command[-1])
        folder.mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "subprocess", SimpleNamespace(run=run))

    python = environment.make_environment(library, tmp_path)
    environment.make_environment(library, tmp_path)

    pins = library.requirements
    torch_pin = next(p for p in pins.read_text().splitlines() if p.startswith("torch"))
    assert called == [str(folder), torch_pin, str(pins)]

    def fail(command: list[str], **_: object) -> None:
        raise CalledProcessError(1, command)

    fake = SimpleNamespace(run=fail, CalledProcessError=CalledProcessError)
    monkeypatch.setattr(environment, "subprocess", fake)
    with pytest.raises(TrainingError, match=r"making the environment failed: .*venv"):
        environment.make_environment(library, tmp_path / "other")
    assert python == folder / "bin" / "python"


def test_every_model_has_a_library_and_a_grid() -> None:
    for name in MODELS:
        library = environment.LIBRARIES[name]
        assert library.requirements.exists()
        tried = grid(name, "blocks", 0)
        assert len({json.dumps(one.to_dict()) for one in tried}) == len(tried) == 4
