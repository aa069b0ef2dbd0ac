import copy
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.errors import TrainingError
from nextvec.training.files import write_json
from nextvec.training.run_folder import CARD
from nextvec.training.runs import best_run, comparison_key, finished_runs

Run = tuple[Path, dict[str, Any]]


def make_run(name: str, score: float, **change: Any) -> Run:  # noqa: ANN401
    card: dict[str, Any] = {
        "best_score": score,
        "corpus": {"name": "docs", "fingerprint": "f1"},
        "split": {"fingerprint": "s1"},
        "selection_pool": "documents",
        "options": {"stride": 10},
    }
    for path, value in change.items():
        *parts, field = path.split("__")
        (card[parts[0]] if parts else card)[field] = value
    return Path(name), card


def test_the_best_run_has_the_highest_validation_score() -> None:
    runs = [make_run("a", 0.5), make_run("b", 0.7), make_run("c", 0.6)]

    assert best_run(runs)[0] == Path("b")


def test_of_equal_runs_the_first_is_the_best() -> None:
    assert best_run([make_run("a", 0.5), make_run("b", 0.5)])[0] == Path("a")


@pytest.mark.parametrize(
    "change",
    [
        {"corpus__fingerprint": "f2"},
        {"split__fingerprint": "s2"},
        {"selection_pool": "index"},
        {"options__stride": 5},
    ],
)
def test_runs_on_other_ground_are_not_compared(change: dict[str, Any]) -> None:
    runs = [make_run("a", 0.5), make_run("b", 0.7, **change)]

    with pytest.raises(TrainingError, match=r"cannot be compared \(docs\)"):
        best_run(runs)

    assert comparison_key(runs[0][1]) != comparison_key(runs[1][1])


@pytest.mark.parametrize("corpus", ["mine", "f2"])
def test_naming_a_corpus_leaves_the_others_out(corpus: str) -> None:
    mine = make_run("b", 0.1, corpus__name="mine", corpus__fingerprint="f2")

    assert best_run([make_run("a", 0.5), mine], corpus=corpus)[0] == Path("b")


def test_without_a_run_the_corpus_is_named() -> None:
    with pytest.raises(TrainingError, match=r"^no finished run: train one first"):
        best_run([])
    with pytest.raises(TrainingError, match="no finished run on corpus 'mine'"):
        best_run([make_run("a", 0.5)], corpus="mine")


def test_seeds_and_options_do_not_keep_runs_apart(
    finished_run: Path,
) -> None:
    card = read_checkpoint_card(finished_run)
    other = copy.deepcopy(card)
    other["options"] |= {"seed": 7, "lr": 1.0, "architecture": "baseline"}

    assert comparison_key(card) == comparison_key(other)


def test_only_finished_runs_are_found(finished_run: Path, tmp_path: Path) -> None:
    card = read_checkpoint_card(finished_run)
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / CARD, card)
    (tmp_path / "unfinished").mkdir()

    found = finished_runs(tmp_path)

    assert [folder.name for folder, _ in found] == ["a", "b"]
    assert found[0][1] == card
    assert finished_runs(tmp_path / "missing") == []


def test_a_damaged_card_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / CARD).write_text("{")

    told: list[str] = []

    assert finished_runs(tmp_path, skipped=told.append) == []

    assert "a/card.json: not JSON" in told[0]


def test_a_run_just_trained_wins_a_tie() -> None:
    runs = [make_run(name, 0.5) for name in ("a", "b", "c")]

    assert best_run(runs)[0] == Path("a")
    assert best_run(runs, prefer=["b"])[0] == Path("b")
