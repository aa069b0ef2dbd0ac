"""Hits of a predictor and of its baseline, added up for each sequence.

That is all that an interval over sequences needs, so that windows of several splits can
be pooled without their predictions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.suite import Suite
from nextvec.training.vectors import Int64


def sequence_hits(
    suite: Suite,
    ranks: Mapping[PoolName, Int64],
    baselines: Mapping[PoolName, tuple[str, Int64]],
    names: Sequence[str],
) -> dict[str, Any]:
    """Add up the hits at the headline's cut-off.

    Args:
        suite: of the windows.
        ranks: rank that the predictor gives each target, by pool.
        baselines: name of each pool's best baseline, and the ranks it gives.
        names: of all documents or sequences of the corpus.

    Returns:
        Plain JSON types: ``ids`` of the sequences that have windows, the number of
        their ``windows``, and in ``pools`` for each pool ``hits`` and
        ``baseline_hits``, all lists in the order of the ids.
    """
    numbers, index_Q = np.unique(suite.windows.documents, return_inverse=True)

    def added(rank_Q: Int64) -> list[int]:
        is_hit_Q = rank_Q <= suite.k
        return [int(n) for n in np.bincount(index_Q, is_hit_Q, len(numbers))]

    return {
        "ids": [names[number] for number in numbers.tolist()],
        "windows": np.bincount(index_Q).tolist(),
        "pools": {
            pool: {"hits": added(rank_Q), "baseline_hits": added(baselines[pool][1])}
            for pool, rank_Q in ranks.items()
        },
    }
