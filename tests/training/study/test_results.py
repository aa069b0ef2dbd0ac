import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.checkpoint import read_checkpoint_card
from training.errors import TrainingError
from training.study.results import (
    RESULTS,
    find_result,
    read_foreign,
    result_of,
    same_ground,
    write_result,
)

MakeResult = Callable[..., dict[str, Any]]


def test_a_result_is_found_again_by_the_name_of_its_run(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result()

    write_result(tmp_path, result)

    assert find_result(tmp_path, result["name"]) == json.loads(json.dumps(result))
    assert find_result(tmp_path, "another") is None


def test_a_result_holds_figures_but_no_text_and_no_path(finished_run: Path) -> None:
    card = read_checkpoint_card(finished_run)

    result = result_of(card, wall_s=None)

    assert result["evaluation"] == card["evaluation"]
    assert result["history"] == card["history"]
    assert "examples" not in result
    assert "folder" not in result["corpus"]
    assert len(json.dumps(result)) < 60_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param('{"format": 9}', "result format 1, got 9", id="format"),
    ],
)
def test_a_damaged_result_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / RESULTS).mkdir()
    (tmp_path / RESULTS / "mine.json").write_text(content)

    with pytest.raises(TrainingError, match=words):
        find_result(tmp_path, "mine")


def test_results_of_other_libraries_are_those_of_this_corpus(
    make_result: MakeResult, tmp_path: Path
) -> None:
    write_result(tmp_path, make_result())
    for name, fingerprint in (("SASRec", "mine"), ("GRU4Rec", "other")):
        foreign = {
            "format": 1,
            "library": "a library",
            "model": name,
            "fingerprint": fingerprint,
        }
        (tmp_path / RESULTS / f"{name}.json").write_text(json.dumps(foreign))

    assert [r["model"] for r in read_foreign(tmp_path, "mine")] == ["SASRec"]
    assert read_foreign(tmp_path / "nowhere", "mine") == []


def test_results_of_different_ground_are_not_compared(make_result: MakeResult) -> None:
    one, other = make_result(seed=0), make_result(seed=1)
    other["split"] = other["split"] | {"fingerprint": "another"}

    assert same_ground([one]) is one
    with pytest.raises(TrainingError, match="different corpora, splits or protocols"):
        same_ground([one, other])
    with pytest.raises(TrainingError, match="no result"):
        same_ground([])
