import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from nextvec.training.study.summary import rows_of, verdicts

MakeResult = Callable[..., dict[str, Any]]


def test_seeds_of_an_architecture_are_one_row(make_result: MakeResult) -> None:
    results = [
        make_result("memory", 1, (0.03, 0.01, 0.05)),
        make_result("linear", 0),
        make_result("memory", 0, (0.01, -0.01, 0.02)),
    ]

    rows = rows_of(results)

    assert [(row.architecture, row.seeds) for row in rows] == [
        ("memory", [0, 1]),
        ("linear", [0]),
    ]
    figures = rows[0].pools("evaluation")[0]
    assert figures.lift.value == pytest.approx(0.02)
    assert (figures.lift.low, figures.lift.high) == (-0.01, 0.05)
    assert figures.lift_range == (0.01, 0.03)


def best_of(result: dict[str, Any]) -> float:
    score: float = result["history"][result["best_epoch"]]["score"]
    return score


def test_a_row_has_the_means_of_its_seeds(make_result: MakeResult) -> None:
    one, other = make_result(seed=0), make_result(seed=1)
    other["evaluation"]["mean_cosine"] = one["evaluation"]["mean_cosine"] + 0.2
    other["best_epoch"] = 1
    for result, gain in ((one, 0.1), (other, 0.3)):
        result["diagnostics"]["shuffled_loss"] = {
            "value": gain,
            "low": None,
            "high": None,
        }
        result["diagnostics"]["by_context_length"] = {"5": gain, "100": 2 * gain}
        result["evaluation"]["pools"][1]["hit_at"]["5"]["value"] = gain
    one["diagnostics"]["memory_gain"] = None

    (row,) = rows_of([one, other])

    cosine = one["evaluation"]["mean_cosine"] + 0.1
    assert row.mean_cosine == pytest.approx(cosine)
    assert row.best_epochs == f"{one['best_epoch']} of 3, 1 of 3"
    assert row.diagnostic("shuffled_loss") == pytest.approx(0.2)
    assert row.diagnostic("memory_gain") is None
    assert row.by_context_length() == pytest.approx({"5": 0.2, "100": 0.4})
    assert row.epochs("score") == pytest.approx(
        (
            (best_of(one) + best_of(other)) / 2,
            (one["history"][-1]["score"] + other["history"][-1]["score"]) / 2,
        )
    )
    documents = row.pools("evaluation")[1]
    assert documents.hit_at["5"] == pytest.approx(0.2)
    assert (
        documents.baseline_hit == one["evaluation"]["pools"][1]["baseline_hit_at"]["5"]
    )


@pytest.mark.parametrize(
    ("seeds", "lift", "words"),
    [
        (1, (0.02, 0.01, 0.03), "better than .*: Memory GRU .2.0 points .*not a claim"),
        (3, (0.02, 0.01, 0.03), r"better than .*: Memory GRU .2.0 points \[.*\]\.$"),
        (3, (0.01, -0.01, 0.03), "no network is shown to be better"),
        (
            3,
            (-0.02, -0.03, -0.01),
            "no network is .* Shown to be worse: Memory GRU\\.$",
        ),
        (1, (-0.02, -0.03, -0.01), r"worse: Memory GRU \(a sign, not a claim: 1 of 3"),
        (1, (0.02, None, None), "too few documents"),
    ],
)
def test_verdicts_follow_the_intervals(
    make_result: MakeResult,
    seeds: int,
    lift: tuple[float, float | None, float | None],
    words: str,
) -> None:
    results = [make_result("memory", seed, lift) for seed in range(seeds)]

    sentences = verdicts(rows_of(results))

    assert len(sentences) == 3
    for sentence in sentences:
        assert re.search(words, sentence), sentence


def test_one_bad_seed_is_enough_against_a_claim(make_result: MakeResult) -> None:
    good, bad = (0.02, 0.01, 0.03), (0.02, -0.01, 0.05)
    results = [make_result("memory", seed, good) for seed in range(2)]

    sentences = verdicts(rows_of([*results, make_result("memory", 2, bad)]))

    assert all("no network is shown to be better" in sentence for sentence in sentences)
    assert not math.isinf(rows_of(results)[0].pools("evaluation")[0].lift.low)
