import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.errors import TrainingError
from nextvec.training.study.results import (
    RESULTS,
    find_result,
    first_of_comparable,
    result_of,
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
        pytest.param('{"format": 1, "k": 5}', "architecture, base, .* missing", id="k"),
    ],
)
def test_a_damaged_result_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / RESULTS).mkdir()
    (tmp_path / RESULTS / "mine.json").write_text(content)

    with pytest.raises(TrainingError, match=words):
        find_result(tmp_path, "mine")


def test_a_result_of_an_unknown_network_is_named(
    make_result: MakeResult, tmp_path: Path
) -> None:
    write_result(tmp_path, make_result("perceptron"))

    with pytest.raises(TrainingError, match="got architecture 'perceptron'"):
        find_result(tmp_path, "tiny-perceptron-0")


def test_a_result_of_another_protocol_is_none(
    make_result: MakeResult, tmp_path: Path
) -> None:
    write_result(tmp_path, make_result() | {"protocol": 0})

    assert find_result(tmp_path, "tiny-memory-0") is None


def test_other_options_are_not_taken_for_another_seed(make_result: MakeResult) -> None:
    one, other = make_result(seed=0), make_result(seed=1)
    other["options"] = other["options"] | {"lr": 0.5, "seed": 1}

    with pytest.raises(TrainingError, match=r"no seeds of one network: lr is .* 0\.5;"):
        first_of_comparable([one, other])
    # of another network they may be, on the same windows and in the same space
    first_of_comparable([one, other | {"architecture": "linear"}])


@pytest.mark.parametrize(
    ("name", "value"), [("transform", "identity"), ("whiten_strength", 0.9)]
)
def test_networks_in_other_spaces_or_on_other_windows_are_no_rows_of_one_study(
    make_result: MakeResult, name: str, value: object
) -> None:
    one, other = make_result("memory"), make_result("linear")
    other["options"] = other["options"] | {name: value}

    with pytest.raises(TrainingError, match=f"or spaces: {name} is .* and {value!r};"):
        first_of_comparable([one, other])


def test_results_of_different_ground_are_not_compared(make_result: MakeResult) -> None:
    one, other = make_result(seed=0), make_result(seed=1)
    other["split"] = other["split"] | {"fingerprint": "another"}

    assert first_of_comparable([one]) is one
    with pytest.raises(TrainingError, match="different corpora, splits or protocols"):
        first_of_comparable([one, other])
    with pytest.raises(TrainingError, match="no result"):
        first_of_comparable([])
