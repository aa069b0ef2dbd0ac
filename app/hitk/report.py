"""The report of `GET /metrics/hitk`: the fields of its JSON, in their order.

The OpenAPI document is made from these classes; pydantic validates nothing here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import NonNegativeInt, with_config

from nextvec.training.evaluation.pools import PoolName


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval; null where the interval has no bound."""

    # in memory that bound is infinite, which orjson writes as null
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Hit@k less that of the baseline, a fraction, with its interval."""

    k: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Shares of hits, every candidate compared."""

    hit_at: dict[str, Estimate]
    """By cut-off, as a string."""

    mrr_at_10: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexHits:
    """Shares of hits through the index that answers `/predict`."""

    hit_at: dict[str, Estimate]
    """By cut-off, as a string."""

    mrr_at_10: float
    hit_context_included: float | None
    """Hit@k with the vectors of the context as candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineHits:
    """Shares of hits of the pool's best baseline, as the run recorded its ranks."""

    name: str | None
    hit_at: dict[str, float]
    """By cut-off, as a string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """As the run recorded it, on validation and on test."""

    validation: dict[str, Any] | None
    test: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HitkPool:
    """One pool, measured now; what was recorded stands beside it."""

    pool: PoolName
    num_candidates: NonNegativeInt
    num_windows: NonNegativeInt
    exact: Hits
    index: IndexHits
    baseline: BaselineHits | None
    lift: Lift | None
    recorded: Recorded


# of the classes within, too
@with_config(use_attribute_docstrings=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class HitkReport:
    """The newest validation of the live bundle."""

    age_s: float
    """Seconds since it was measured."""

    is_refreshing: bool
    """Whether a run that will take its place is under way."""

    bundle: str
    model_version: str
    index_version: str
    index_kind: str
    corpus: str
    part: str
    num_windows: NonNegativeInt
    num_leaked: NonNegativeInt
    """Windows left out: the target's like is in a training document."""

    is_clean: bool
    stride: NonNegativeInt
    context_excluded: bool
    """Whether the vectors of the context are no candidates."""

    k: NonNegativeInt
    """Cut-off of the headline and the lift."""

    num_unseen: NonNegativeInt
    """Windows whose target no training sequence has: misses; items only."""

    mean_cosine: float | None
    recorded_mean_cosine: float | None
    pools: list[HitkPool]
    readiness: dict[str, Any] | None
    measured_at: datetime
    duration_s: float
    """Seconds it took, waiting included."""
