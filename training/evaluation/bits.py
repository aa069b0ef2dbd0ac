"""How surprised a predictor is by what came next, in bits."""

from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.statistics import Estimate, estimate
from nextvec.training.vectors import Float32

_BLOCK_CELLS: Final = 1 << 24
# Probabilities held at a time: 64 MB, 10,558 windows for 1,589 items.


@runtime_checkable
class Probabilistic(Protocol):
    """A predictor that says how likely each item comes next."""

    def probabilities(self, windows: Windows) -> Float32:
        """Return probabilities of the whole catalogue, ``(Q, N)``; rows sum to 1."""
        ...


def target_bits(
    predictor: Probabilistic,
    windows: Windows,
    num_items: int,
    *,
    excludes_context: bool = False,
) -> NDArray[np.float64]:
    """Return ``-log2`` of the probability of each target among its candidates.

    Args:
        predictor: that gives probabilities.
        windows: whose targets.
        num_items: rows of the catalogue, N; says how many windows are asked at a time.
        excludes_context: whether items of the context are no candidates; what they
            were given is then shared out among the rest.

    Returns:
        Shape ``(Q,)``; NaN for a target that is no candidate (of -1: it has no vector
        or is in no training sequence), infinity for one that was said to be impossible.
    """
    found = []
    block = max(1, _BLOCK_CELLS // num_items)
    for start in range(0, len(windows), block):
        part = windows.take(np.arange(start, min(start + block, len(windows))))
        chance_QN = predictor.probabilities(part)
        if excludes_context:
            # of its own: popularity is one row, seen as many
            chance_QN = chance_QN.copy()
            query_P, place_P = np.nonzero(part.context_rows >= 0)
            chance_QN[query_P, part.context_rows[query_P, place_P]] = 0
            chance_QN /= chance_QN.sum(axis=1, keepdims=True)
        target_Q1 = np.maximum(part.target_rows, 0)[:, None]
        chance_Q = np.take_along_axis(chance_QN, target_Q1, axis=1)[:, 0]
        with np.errstate(divide="ignore"):
            bits_Q = -np.log2(chance_Q.astype(np.float64))
        is_back_Q = (part.context_rows == part.target_rows[:, None]).any(axis=1)
        is_lost_Q = (part.target_rows < 0) | (is_back_Q & excludes_context)
        found.append(np.where(is_lost_Q, np.nan, bits_Q))
    return np.concatenate(found)


def mean_bits(
    predictor: Probabilistic,
    windows: Windows,
    num_items: int,
    *,
    excludes_context: bool = False,
) -> Estimate | None:
    """Return the mean over targets that are candidates, with its 95 % interval.

    Fewer is better; equal chances for N items are ``log2 N``. The interval is from a
    bootstrap over sequences (`estimate`). Arguments as of `target_bits`.

    Returns:
        None if no target is a candidate.
    """
    bits_Q = target_bits(
        predictor, windows, num_items, excludes_context=excludes_context
    )
    is_met_Q = ~np.isnan(bits_Q)
    if not is_met_Q.any():
        return None
    return estimate(bits_Q[is_met_Q], windows.documents[is_met_Q])
