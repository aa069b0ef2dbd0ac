import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nextvec.training.checkpoint import FORMAT, load_checkpoint
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError, TrainingError
from nextvec.training.files import read_json, write_json
from nextvec.training.fit.monitor import selection_score
from nextvec.training.listener import Epoch, NullListener
from nextvec.training.models.place_head import PlaceHead
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run import run_name, train
from nextvec.training.run_folder import (
    BUNDLED,
    CARD,
    FINISHED,
    LOCK,
    OPTIONS,
    REPORT,
    STATE,
    WEIGHTS,
    is_finished,
)


class Interrupted(Exception):  # noqa: N818 - not an error of the code under test
    pass


class StopsAfter(NullListener):
    """Cuts a run off after an epoch, or at the first step after it."""

    def __init__(self, epoch: int, error: type[BaseException], *, midway: bool) -> None:
        self.number, self.error, self.midway = epoch, error, midway
        self.is_due = False

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == self.number:
            self.is_due = True
            if not self.midway:
                raise self.error

    def progress(self, done: int, total: int) -> None:
        if self.is_due and done == total // 2 + 1:
            raise self.error


class Hearing(NullListener):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.epochs: list[int] = []

    def stage(self, what: str) -> None:
        self.stages.append(what)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch.number)


def trajectory(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that was measured, less the clock."""
    return [
        {name: value for name, value in epoch.items() if name != "seconds"}
        for epoch in card["history"]
    ]


def assert_same_run(folder: Path, expected: Path) -> None:
    card, whole = read_json(folder / CARD), read_json(expected / CARD)
    assert trajectory(card) == trajectory(whole)
    assert (folder / WEIGHTS).read_bytes() == (expected / WEIGHTS).read_bytes()
    same = ["best_epoch", "best_score", "evaluation", "test_evaluation", "baselines"]
    same += ["diagnostics", "readiness", "split", "model", "diagnosis", "examples"]
    for name in same:
        assert card[name] == whole[name]


def test_the_restored_weights_reproduce_the_recorded_score_bit_for_bit(
    finished_run: Path, tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    checkpoint = load_checkpoint(finished_run)
    prepared = prepare(
        tiny_corpus,
        tiny_config,
        SharedCache(),
        NullListener(),
        transform=checkpoint.transform,
    )

    score = selection_score(checkpoint.model, prepared)

    card = checkpoint.card
    assert card["best_epoch"] > 0
    assert score == card["best_score"] == max(e["score"] for e in card["history"])
    assert score == card["history"][card["best_epoch"]]["score"]
    restored = card["readiness"]["checks"][-1]
    assert restored["name"] == "restored weights"
    assert restored["is_met"]
    # and it could have come out otherwise
    head = checkpoint.model.head
    assert isinstance(head, PlaceHead)
    with torch.no_grad():
        head.out.weight.neg_()
    assert selection_score(checkpoint.model, prepared) != score


@pytest.mark.slow
@pytest.mark.parametrize("midway", [False, True], ids=["between", "midway"])
@pytest.mark.parametrize(("epoch", "error"), [(0, KeyboardInterrupt), (2, Interrupted)])
def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not(
    finished_run: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    epoch: int,
    error: type[BaseException],
    midway: bool,
) -> None:
    with pytest.raises(error):
        train(
            tiny_corpus,
            tiny_config,
            tmp_path,
            listener=StopsAfter(epoch, error, midway=midway),
        )
    assert not is_finished(tmp_path)
    listener = Hearing()

    train(tiny_corpus, tiny_config, tmp_path, listener=listener)

    assert_same_run(tmp_path, finished_run)
    assert "measuring the baselines" not in listener.stages
    assert listener.epochs == [0, 1, 2, 3]
    assert not (tmp_path / STATE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["measuring the baselines", "training", "judging"])
def test_a_run_interrupted_at_a_stage_goes_on_from_there(
    finished_run: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    stage: str,
) -> None:
    class Stops(NullListener):
        def stage(self, what: str) -> None:
            if what.startswith(stage):
                raise Interrupted

    with pytest.raises(Interrupted):
        train(tiny_corpus, tiny_config, tmp_path, listener=Stops())

    train(tiny_corpus, tiny_config, tmp_path)

    assert_same_run(tmp_path, finished_run)


_VICTIM = """
import json, os, signal, sys
from pathlib import Path
import torch
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.listener import NullListener
from nextvec.training.run import train

torch.set_num_threads(1)

class Dies(NullListener):
    is_due = False
    def epoch(self, epoch):
        self.is_due = epoch.number == 1
    def progress(self, done, total):
        if self.is_due and done > 1:
            os.kill(os.getpid(), signal.SIGKILL)

corpus, folder, options = sys.argv[1:]
config = TrainingConfig.from_dict(json.loads(options), source="test")
train(load_corpus(Path(corpus)), config, Path(folder), listener=Dies())
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_as_if_it_had_not(
    finished_run: Path,
    tiny_folder: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
) -> None:
    options = json.dumps(tiny_config.to_dict())
    command = [sys.executable, "-c", _VICTIM, str(tiny_folder), str(tmp_path), options]

    killed = subprocess.run(command, check=False)  # noqa: S603 - our own script

    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / STATE).exists()
    assert not is_finished(tmp_path)
    train(tiny_corpus, tiny_config, tmp_path)
    assert_same_run(tmp_path, finished_run)


_HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_in_the_folder_is_refused(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / LOCK)]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(TrainingError, match=f"{tmp_path}: another process is"):
            train(tiny_corpus, tiny_config, tmp_path)

        holder.stdin.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK]


def test_other_options_in_the_folder_are_refused_by_name(
    finished_run: Path, tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    other = replace(tiny_config, lr=0.25, architecture="baseline")

    with pytest.raises(TrainingError, match="other options") as caught:
        train(tiny_corpus, other, finished_run)

    message = str(caught.value)
    assert message.startswith(f"{finished_run}: ")
    assert "lr was 0.05, is 0.25" in message
    assert "architecture was 'memory', is 'baseline'" in message
    assert "hidden_size" not in message


def test_another_corpus_in_the_folder_is_refused(
    finished_run: Path, tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    other = tiny_corpus.select(range(11), name="tiny")

    with pytest.raises(TrainingError, match="the corpus is another"):
        train(other, tiny_config, finished_run)


def test_a_run_of_another_protocol_in_the_folder_is_refused(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    told = {"protocol": 0, "corpus": tiny_corpus.fingerprint}
    write_json(tmp_path / OPTIONS, told | {"options": tiny_config.to_dict()})

    with pytest.raises(TrainingError, match="the evaluation protocol was 0, is 2"):
        train(tiny_corpus, tiny_config, tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"options": 3}', "{"])
def test_options_that_cannot_be_read_are_named(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path, content: str
) -> None:
    (tmp_path / OPTIONS).write_text(content)

    with pytest.raises(TrainingError, match=f"{OPTIONS}: "):
        train(tiny_corpus, tiny_config, tmp_path)


def test_what_a_killed_training_left_goes_with_the_next(
    finished_run: Path, tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    (run / ".card.json.0123abcd.tmp").write_text("half")

    train(tiny_corpus, tiny_config, run)

    assert {p.name for p in run.iterdir()} == {p.name for p in finished_run.iterdir()}


def test_a_finished_run_returns_its_card_at_once(
    finished_run: Path, tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in finished_run.iterdir()}
    listener = Hearing()

    card = train(tiny_corpus, tiny_config, finished_run, listener=listener)

    assert card == read_json(finished_run / CARD)
    assert not listener.stages
    assert not listener.epochs
    assert before == {p.name: p.stat().st_mtime_ns for p in finished_run.iterdir()}


@pytest.mark.slow
def test_one_document_of_validation_gives_an_interval_without_end(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    corpus = tiny_corpus.select(range(3), name="three")
    config = replace(tiny_config, max_epochs=1, architecture="hierarchical")

    card = train(corpus, config, tmp_path)

    assert card == train(corpus, config, tmp_path) == read_json(tmp_path / CARD)
    documents = card["evaluation"]["pools"][0]
    assert documents["lift"]["low"] is documents["lift"]["high"] is None
    assert card["diagnostics"]["memory_gain"] is None
    assert "for an interval" in (tmp_path / REPORT).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_seed_decides_the_history(
    finished_run: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
) -> None:
    again = train(tiny_corpus, tiny_config, tmp_path / "again")
    other = train(tiny_corpus, replace(tiny_config, seed=1), tmp_path / "other")

    assert_same_run(tmp_path / "again", finished_run)
    assert trajectory(other) != trajectory(again)
    weights = (tmp_path / "other" / WEIGHTS).read_bytes()
    assert weights != (finished_run / WEIGHTS).read_bytes()
    # the split has a seed of its own, so that the two can be compared
    assert other["split"] == again["split"]
    assert other["baselines"] == again["baselines"]


def test_a_card_says_everything_about_its_run(
    finished_run: Path,
    tiny_folder: Path,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
) -> None:
    card = read_json(finished_run / CARD)

    assert card["format"] == FORMAT
    assert card["name"] == finished_run.name
    assert card["options"] == tiny_config.to_dict()
    assert card["corpus"]["fingerprint"] == tiny_corpus.fingerprint
    assert card["corpus"]["folder"] == str(tiny_folder)
    assert card["corpus"]["num_vectors"] == 1560
    assert card["corpus"]["num_documents"] == 12
    assert card["model"]["dim"] == tiny_corpus.dim
    assert (card["split"]["num_train"], card["split"]["num_validation"]) == (7, 2)
    assert card["split"]["num_test"] == 3
    assert card["split"]["num_windows"] == 12
    assert len(card["history"]) == 4
    assert card["seconds"] == pytest.approx(sum(e["seconds"] for e in card["history"]))
    assert card["is_better_than_base"] == (card["best_epoch"] > 0)
    assert card["base"] in card["baselines"]
    assert card["seed"] == 0
    assert set(card["versions"]) >= {"python", "torch", "numpy", "nextvec"}
    for part in ("evaluation", "test_evaluation"):
        evaluation = card[part]
        names = [pool["pool"] for pool in evaluation["pools"]]
        assert names == ["targets", "documents", "index"]
        assert evaluation["pools"][0]["num_candidates"] == 1148
        for pool in evaluation["pools"]:
            assert pool["lift"].keys() == {"value", "low", "high"}
            gain = pool["hit_at"]["5"]["value"] - pool["baseline_hit_at"]["5"]
            assert pool["lift"]["value"] == pytest.approx(gain)
    assert card["evaluation"]["part"] == "validation"
    assert card["test_evaluation"]["part"] == "test"


def test_a_folder_of_a_run_holds_what_it_promises(finished_run: Path) -> None:
    names = {path.name for path in finished_run.iterdir()}

    assert names == {LOCK, *FINISHED}
    assert set(BUNDLED) <= set(FINISHED)
    assert is_finished(finished_run)


def test_a_name_tells_corpus_architecture_and_options(
    tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    name = run_name(tiny_corpus, tiny_config)
    other_corpus = tiny_corpus.select(range(5), name="tiny")

    assert name.startswith("tiny-memory-")
    assert run_name(tiny_corpus, replace(tiny_config)) == name
    assert run_name(tiny_corpus, replace(tiny_config, lr=0.5)) != name
    assert run_name(other_corpus, tiny_config) != name


def test_a_corpus_that_is_too_small_costs_no_training(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    listener = Hearing()

    with pytest.raises(CorpusError, match="expected at least 3"):
        train(
            tiny_corpus.select([0, 1], name="two"),
            tiny_config,
            tmp_path,
            listener=listener,
        )

    assert "training" not in listener.stages


@pytest.mark.slow
def test_vectors_of_768_numbers_work_from_end_to_end(
    make_corpus: Callable[..., Corpus], tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    corpus = make_corpus([105] * 4, dim=768)
    config = replace(tiny_config, max_epochs=1)

    card = train(corpus, config, tmp_path)

    assert card["model"]["dim"] == 768
    assert len(card["history"]) == 2
    checkpoint = load_checkpoint(tmp_path)
    context_TD = torch.from_numpy(checkpoint.transform.apply(corpus.vectors[:100]))
    predicted = checkpoint.model.predict(context_TD[None], torch.tensor([100]))
    assert predicted.vectors.shape == (1, 768)
