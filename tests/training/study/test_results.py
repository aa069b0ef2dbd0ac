import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.checkpoint import read_checkpoint_card
from training.errors import TrainingError
from training.study.results import (
    FOREIGN,
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
    own = make_result()
    (tmp_path / FOREIGN).mkdir()
    for name, fingerprint in (
        ("SASRec", own["corpus"]["fingerprint"]),
        ("GRU4Rec", "other"),
    ):
        foreign = {"model": name, "fingerprint": fingerprint, "split": own["split"]}
        (tmp_path / FOREIGN / f"{name}.json").write_text(json.dumps(foreign))

    assert [r["model"] for r in read_foreign(tmp_path, own)] == ["SASRec"]
    assert read_foreign(tmp_path / "nowhere", own) == []
    (tmp_path / FOREIGN / "broken.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"broken\.json: no result of another"):
        read_foreign(tmp_path, own)


def test_results_of_different_ground_are_not_compared(make_result: MakeResult) -> None:
    one, other = make_result(seed=0), make_result(seed=1)
    other["split"] = other["split"] | {"fingerprint": "another"}

    assert same_ground([one]) is one
    with pytest.raises(TrainingError, match="different corpora, splits or protocols"):
        same_ground([one, other])
    with pytest.raises(TrainingError, match="no result"):
        same_ground([])
