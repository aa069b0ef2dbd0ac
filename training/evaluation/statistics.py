"""How sure a mean is, when the windows of one document are not independent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextvec.training.vectors import Int64

MIN_DOCUMENTS: Final = 10
"""Documents below which no interval is given: simulated, a nominal 95 % interval holds
the truth in 51 % of the cases with 2 documents, 75 % with 3, 83 % with 5, 88 % with 10
and 93 % with 40."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_plain(cls, plain: Mapping[str, float | None]) -> Self:
        """Read it from JSON, which has no infinity and holds null instead."""
        value, low, high = (plain[name] for name in ("value", "low", "high"))
        return cls(
            value=math.nan if value is None else value,
            low=-math.inf if low is None else low,
            high=math.inf if high is None else high,
        )


def estimate(
    value_Q: NDArray[np.floating],
    document_Q: Int64,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean over windows, with a 95 % interval from a bootstrap over documents.

    For a paired comparison pass the differences of the two, window by window.

    Args:
        value_Q: one number for each window, shape ``(Q,)``, at least one.
        document_Q: document of each window, shape ``(Q,)``.
        resamples: how many times documents are drawn, with replacement.
        seed: seed of the draws.

    Returns:
        The mean and the 2.5 and 97.5 percentiles of the resampled means. Below
        `MIN_DOCUMENTS` documents the interval is everything: ±infinity.

    Example:
        >>> estimate(np.ones(10), np.arange(10)).low
        1.0
    """
    _, index_Q = np.unique(document_Q, return_inverse=True)
    sum_D = np.bincount(index_Q, weights=value_Q).astype(np.float64)
    return estimate_sums(sum_D, np.bincount(index_Q), resamples=resamples, seed=seed)


def estimate_sums(
    sum_D: NDArray[np.floating],
    count_D: Int64,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean over windows and its interval, from sums over the windows of documents.

    Args:
        sum_D: sum of the numbers of each document's windows, shape ``(D,)``.
        count_D: windows of each document, at least one, shape ``(D,)``.
        resamples: how many times documents are drawn, with replacement.
        seed: seed of the draws.

    Returns:
        As `estimate` of the same windows.
    """
    value = float(sum_D.sum() / count_D.sum())
    if len(count_D) < MIN_DOCUMENTS:
        return Estimate(value=value, low=-np.inf, high=np.inf)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(
        len(count_D), np.full(len(count_D), 1 / len(count_D)), resamples
    )
    means = (times @ sum_D) / (times @ count_D)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high))


def points(gain: Estimate) -> str:
    """Write a difference of shares in percentage points.

    Example:
        >>> points(Estimate(value=0.012, low=-0.003, high=0.027))
        '+1.2 points [-0.3, +2.7]'
    """
    if math.isinf(gain.low):
        return f"{100 * gain.value:+.1f} points (too few documents for an interval)"
    return (
        f"{100 * gain.value:+.1f} points "
        f"[{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    )
