"""How surprised a predictor is by what came next, in bits."""

from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from training.corpus.windows import Windows
from training.evaluation.statistics import Estimate, estimate
from training.vectors import Float32

_BLOCK_CELLS: Final = 1 << 24
# Probabilities held at a time: 64 MB, 10,558 windows for 1,589 items.


@runtime_checkable
class Probabilistic(Protocol):
    """A predictor that says how likely each item comes next."""

    def probabilities(self, windows: Windows) -> Float32:
        """Return probabilities of the whole catalogue, ``(Q, N)``; rows sum to 1."""
        ...


def target_bits(
    predictor: Probabilistic, windows: Windows, num_items: int
) -> NDArray[np.float64]:
    """Return ``-log2`` of the probability of each target.

    The probability is that within the whole catalogue: items of the context are not
    taken out, whether they are candidates or not.

    Args:
        predictor: that gives probabilities.
        windows: whose targets.
        num_items: rows of the catalogue, N; says how many windows are asked at a time.

    Returns:
        Shape ``(Q,)``; NaN for a target of -1, which has no vector or is in no training
        sequence, and infinity for one that was said to be impossible.
    """
    found = []
    block = max(1, _BLOCK_CELLS // num_items)
    for start in range(0, len(windows), block):
        part = windows.take(np.arange(start, min(start + block, len(windows))))
        chance_QN = predictor.probabilities(part)
        target_Q1 = np.maximum(part.target_rows, 0)[:, None]
        chance_Q = np.take_along_axis(chance_QN, target_Q1, axis=1)[:, 0]
        with np.errstate(divide="ignore"):
            bits_Q = -np.log2(chance_Q.astype(np.float64))
        found.append(np.where(part.target_rows < 0, np.nan, bits_Q))
    return np.concatenate(found)


def mean_bits(
    predictor: Probabilistic, windows: Windows, num_items: int
) -> Estimate | None:
    """Return the mean over targets that training met, with its 95 % interval.

    Fewer is better; equal chances for N items are ``log2 N``. The interval is from a
    bootstrap over sequences (`estimate`). Arguments as of `target_bits`.

    Returns:
        None if training met no target.
    """
    bits_Q = target_bits(predictor, windows, num_items)
    is_met_Q = windows.target_rows >= 0
    if not is_met_Q.any():
        return None
    return estimate(bits_Q[is_met_Q], windows.documents[is_met_Q])
