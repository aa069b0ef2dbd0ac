"""Lift on test, with and without documents that a recipe has seen."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks.peers import recipe_overlap
from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import load_corpus, save_corpus
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.errors import CorpusError
from nextvec.training.run import train

pytestmark = pytest.mark.slow

MakeCorpus = Callable[..., Corpus]


@pytest.fixture(scope="module")
def run(make_corpus: MakeCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, of no more than a few steps, beside its corpus."""
    folder = tmp_path_factory.mktemp("overlap")
    corpus = save_corpus(make_corpus([130] * 16), folder / "corpus")
    config = TrainingConfig(
        architecture="linear",
        num_lags=2,
        bank_size=8,
        max_epochs=1,
        test_share=0.4,
        device="cpu",
    )
    train(corpus, config, folder / "runs" / "one", corpus_folder=folder / "corpus")
    return folder / "runs" / "one"


def test_nothing_known_is_the_lift_of_the_card(run: Path) -> None:
    corpus = load_corpus(run.parents[1] / "corpus")
    card = read_checkpoint_card(run)

    found = recipe_overlap.lifts_without(run, corpus, set())

    pool = next(p for p in card["test_evaluation"]["pools"] if p["pool"] == "documents")
    assert found.all.value == pytest.approx(pool["lift"]["value"])
    assert found.all == found.without
    assert found.num_windows == found.num_windows_without == pool["num_windows"]


def test_windows_of_known_documents_are_left_out(run: Path) -> None:
    corpus = load_corpus(run.parents[1] / "corpus")
    test = split_documents(corpus, SplitConfig(test=0.4)).test
    known = {corpus.document_ids[int(test[0])]}

    found = recipe_overlap.lifts_without(run, corpus, known)

    windows = cut_windows(corpus, test[:1], stride=10)
    assert found.num_windows - found.num_windows_without == len(windows) > 0


def test_nothing_left_is_refused(run: Path) -> None:
    corpus = load_corpus(run.parents[1] / "corpus")

    with pytest.raises(CorpusError, match="every test document with windows is known"):
        recipe_overlap.lifts_without(run, corpus, set(corpus.document_ids))


def test_the_command_prints_a_row_for_each_run(run: Path) -> None:
    folder = run.parents[1]
    before = sorted(path.name for path in run.iterdir())
    app = typer.Typer()
    app.command()(recipe_overlap.main)

    def call(runs: Path) -> Result:
        told = (folder / "corpus", "--chosen-on", folder / "corpus", "--runs", runs)
        return CliRunner().invoke(app, [str(word) for word in told])

    found, nowhere = call(run.parent), call(folder / "nowhere")

    assert found.exit_code == 0, found.output
    assert "| one | " in found.output
    assert sorted(path.name for path in run.iterdir()) == before
    assert nowhere.exit_code == 1
    assert "no finished run on tiny" in nowhere.output
