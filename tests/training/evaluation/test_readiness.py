import math
from dataclasses import replace
from typing import Any

import pytest

from nextvec.training.evaluation.evaluation import Evaluation, PoolResult
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.readiness import Readiness, assess
from nextvec.training.evaluation.statistics import Estimate, points


def sure(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.01, high=value + 0.01)


def result(pool: PoolName, *, hits: tuple[float, float, float]) -> PoolResult:
    return PoolResult(
        pool=pool,
        num_candidates=1148,
        num_windows=10,
        hit_at=dict(zip((1, 5, 10), map(sure, hits), strict=True)),
        mrr_at_10=0.5,
        lift=sure(0.02),
    )


GOOD = Evaluation(
    part="validation",
    k=5,
    num_leaked=0,
    num_unseen=0,
    excludes_context=True,
    is_clean=True,
    mean_cosine=0.1,
    pools=(
        result("targets", hits=(0.30, 0.55, 0.70)),
        result("documents", hits=(0, 0, 0)),
        result("index", hits=(0, 0, 0)),
    ),
)


def judge(evaluation: Evaluation = GOOD, **told: Any) -> Readiness:  # noqa: ANN401
    given: dict[str, Any] = {
        "shuffled_loss": sure(0.05),
        "recorded_score": 0.6,
        "restored_score": 0.6,
    }
    return assess(evaluation, **(given | told))


def failing(readiness: Readiness) -> list[str]:
    return [check.name for check in readiness.checks if not check.is_met]


def with_pool(name: PoolName, **change: Any) -> Evaluation:  # noqa: ANN401
    pools = tuple(
        replace(pool, **change) if pool.pool == name else pool for pool in GOOD.pools
    )
    return replace(GOOD, pools=pools)


def test_the_seed_s_thresholds_are_enough_when_just_reached() -> None:
    readiness = judge()

    assert failing(readiness) == []
    assert readiness.is_go
    assert readiness.to_dict()["verdict"] == "GO"
    assert len(readiness.to_dict()["checks"]) == len(readiness.checks) == 9


@pytest.mark.parametrize(
    ("k", "hits"),
    [(1, (0.299, 0.55, 0.70)), (5, (0.30, 0.549, 0.70)), (10, (0.30, 0.55, 0.699))],
)
def test_a_threshold_that_is_missed_is_named(
    k: int, hits: tuple[float, float, float]
) -> None:
    missed = result("targets", hits=hits)

    readiness = judge(with_pool("targets", hit_at=missed.hit_at))

    assert failing(readiness) == [f"Hit@{k} in targets"]
    assert readiness.verdict == "NO-GO"


def test_every_threshold_names_n() -> None:
    expected = [check.expected for check in judge().checks if "Hit@" in check.name]

    assert all("N = 1,148" in words for words in expected)


@pytest.mark.parametrize("pool", ["targets", "documents", "index"])
@pytest.mark.parametrize(
    "lift",
    [
        Estimate(value=0.5, low=0.0, high=1.0),
        Estimate(value=-0.1, low=-0.2, high=-0.05),
        Estimate(value=0.5, low=-math.inf, high=math.inf),
        None,
    ],
    ids=["touches zero", "below", "one document", "not measured"],
)
def test_every_pool_needs_a_lift_above_zero(
    pool: PoolName, lift: Estimate | None
) -> None:
    readiness = judge(with_pool(pool, lift=lift))

    assert failing(readiness) == [f"lift in {pool}"]


def test_a_corpus_too_small_for_the_thresholds_is_no_go() -> None:
    readiness = judge(replace(GOOD, pools=GOOD.pools[1:]))

    assert failing(readiness) == [
        "Hit@1 in targets",
        "Hit@5 in targets",
        "Hit@10 in targets",
        "lift in targets",
    ]
    assert readiness.checks[1].found == "corpus too small for it"


def test_leaked_windows_are_no_go() -> None:
    readiness = judge(replace(GOOD, is_clean=False, num_leaked=80))

    assert failing(readiness) == ["no leaked window"]
    assert readiness.checks[0].found == "80 left out, 0 of test"


def test_an_order_that_does_not_matter_is_no_go() -> None:
    readiness = judge(shuffled_loss=Estimate(value=0.1, low=0.0, high=0.2))

    assert failing(readiness) == ["order matters"]


def test_restored_weights_must_score_exactly_the_same() -> None:
    readiness = judge(restored_score=math.nextafter(0.6, 1))

    assert failing(readiness) == ["restored weights"]


def test_the_cosine_gates_nothing() -> None:
    assert judge(replace(GOOD, mean_cosine=-1.0)).is_go


def test_an_interval_is_written_in_points() -> None:
    written = points(Estimate(value=-0.012, low=-0.03, high=0.0061))

    assert written == "-1.2 points [-3.0, +0.6]"


def test_an_interval_without_end_is_written_in_words() -> None:
    unknown = Estimate(value=0.012, low=-math.inf, high=math.inf)

    assert points(unknown) == "+1.2 points (too few documents for an interval)"
