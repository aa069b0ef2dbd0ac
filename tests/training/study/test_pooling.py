from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.statistics import estimate
from nextvec.training.study.pooled_report import write_pooled
from nextvec.training.study.pooling import pooled
from nextvec.training.study.report import MARKDOWN, PAGE

MakeResult = Callable[..., dict[str, Any]]
MakeSplits = Callable[..., dict[int, list[dict[str, Any]]]]

POOLS = ("targets", "documents", "index")


@pytest.fixture
def make_split(make_result: MakeResult) -> MakeResult:
    """Results of a network whose hits by sequence are known."""

    def make(
        ids: list[str],
        windows: list[int],
        hits: list[int],
        baseline_hits: list[int],
        **told: object,
    ) -> dict[str, Any]:
        result = make_result(**told)
        own = {"hits": hits, "baseline_hits": baseline_hits}
        by_sequence = {
            "ids": ids,
            "windows": windows,
            "pools": dict.fromkeys(POOLS, own),
        }
        k, total = str(result["k"]), sum(windows)
        for part in ("evaluation", "test_evaluation"):
            for pool in result[part]["pools"]:
                pool["num_windows"] = total
                pool["hit_at"][k]["value"] = sum(hits) / total
                pool["baseline_hit_at"][k] = sum(baseline_hits) / total
        result["sequences"] = {
            "evaluation": by_sequence,
            "test_evaluation": by_sequence,
        }
        return result

    return make


def test_the_interval_is_that_of_all_windows_drawn_by_sequence(
    make_split: MakeResult, rng: np.random.Generator
) -> None:
    splits, gains, owners = {}, [], []
    for seed in range(3):
        ids = [f"s{n}" for n in rng.choice(30, size=15, replace=False)]
        windows = rng.integers(1, 6, size=15)
        hits, base = (rng.integers(0, windows + 1) for _ in range(2))
        splits[seed] = [make_split(ids, *(x.tolist() for x in (windows, hits, base)))]
        # windows one by one: which of a sequence is the hit does not matter
        for name, n, h, b in zip(ids, windows, hits, base, strict=True):
            gains += [(at < h) - float(at < b) for at in range(n)]
            owners += [name] * n

    (found,) = pooled(splits)

    expected = estimate(np.array(gains), np.array(owners))
    for part in ("evaluation", "test_evaluation"):
        for pool in found[part]["pools"]:
            assert pool["lift"]["value"] == pytest.approx(expected.value)
            assert pool["lift"]["low"] == pytest.approx(expected.low)
            assert pool["lift"]["high"] == pytest.approx(expected.high)
            assert pool["num_windows"] == len(gains)
            gain = pool["hit_at"]["5"]["value"] - pool["baseline_hit_at"]["5"]
            assert gain == pytest.approx(expected.value)


def test_windows_of_one_sequence_in_two_splits_are_no_more_sequences(
    make_split: MakeResult,
) -> None:
    ids, windows = [f"s{n}" for n in range(20)], [2] * 20
    others = [f"t{n}" for n in range(20)]
    hits, base = [0, 2] * 10, [1] * 20

    (same,) = pooled({n: [make_split(ids, windows, hits, base)] for n in range(2)})
    (apart,) = pooled(
        {
            0: [make_split(ids, windows, hits, base)],
            1: [make_split(others, windows, hits, base)],
        }
    )
    (alone,) = pooled({0: [make_split(ids, windows, hits, base)]})

    def width(result: dict[str, Any]) -> float:
        lift = result["evaluation"]["pools"][0]["lift"]
        return float(lift["high"] - lift["low"])

    assert width(same) == pytest.approx(width(alone))
    assert width(apart) < 0.85 * width(alone)


def test_a_network_that_a_split_lacks_is_left_out(make_split: MakeResult) -> None:
    told = (["a"], [2], [1], [0])
    splits = {
        0: [make_split(*told), make_split(*told, seed=1)],
        1: [make_split(*told), make_split(*told, architecture="linear")],
    }

    found = pooled(splits)

    assert [(one["architecture"], one["seed"]) for one in found] == [("memory", 0)]


def test_a_result_without_hits_by_sequence_is_named(
    make_result: MakeResult,
) -> None:
    with pytest.raises(TrainingError, match="tiny-memory-0: its result tells no hits"):
        pooled({0: [make_result()]})


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_the_report_tells_the_pooled_lift_and_that_of_every_split(
    make_split: MakeResult, tmp_path: Path, name: str
) -> None:
    ids = [f"s{n}" for n in range(20)]
    told = (ids, [4] * 20, [3] * 20)
    splits = {
        seed: [make_split(*told, [base] * 20, lift=(0.1 * (3 - base), 0.01, 0.5))]
        for seed, base in ((3, 2), (4, 1))
    }

    rows = write_pooled(tmp_path, splits, commands=["nextvec study one other"])

    text = (tmp_path / name).read_text().replace("\\", "")
    assert [row.title for row in rows] == ["Memory GRU"]
    # a quarter of the windows in one split, half of them in the other
    assert "+37.5 points [+37.5, +37.5]" in text
    assert "better than “the best of each split”" in text
    assert "with 2 splits these are signs" in text
    assert "(a sign, not a claim: 1 of 3 seeds)" in text
    assert "160" in text
    for lift in ("+10.0 points [+1.0, +50.0]", "+20.0 points [+1.0, +50.0]"):
        assert lift in text
    assert "nextvec study one other" in text


def test_of_nothing_that_all_splits_have_nothing_is_said(
    make_split: MakeResult, tmp_path: Path
) -> None:
    told = (["a"], [2], [1], [0])
    splits = {n: [make_split(*told, seed=n)] for n in range(2)}

    assert write_pooled(tmp_path, splits, commands=[]) == []
    assert "points" not in (tmp_path / MARKDOWN).read_text().split("A lift is")[0]
