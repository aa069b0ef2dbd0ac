"""Figures from ranks, in the form of this project's own."""

from typing import Any

import numpy as np

from benchmarks.peers.baseline import BestBaseline
from benchmarks.peers.export import Export
from nextvec.training.evaluation.evaluation import pool_result
from nextvec.training.vectors import Int64


def figures(
    export: Export, part: str, rank_Q: Int64, baseline: BestBaseline
) -> dict[str, Any]:
    """Return one part's figures as plain JSON types.

    Args:
        export: whose windows were ranked.
        part: "validation" or "test".
        rank_Q: rank of each window's target.
        baseline: what the lift is over.

    Returns:
        Counts, and the pool of all items as an `Evaluation` of this project has it.

    Raises:
        ValueError: there are not as many ranks as windows.
    """
    windows = export.windows[part]
    for ranks in (rank_Q, baseline.ranks[part]):
        if len(ranks) != len(windows):
            msg = f"{part}: expected {len(windows)} ranks, got {len(ranks)}"
            raise ValueError(msg)
    pool = pool_result(
        export.pool,
        rank_Q,
        windows.documents,
        k=baseline.k,
        baseline=baseline.name,
        baseline_rank_Q=baseline.ranks[part],
    )
    return {
        "num_sequences": len(np.unique(windows.documents)),
        "num_unseen": int((windows.target_rows < 0).sum()),
        "excludes_context": export.excludes_context,
        "pools": [pool.to_dict()],
    }
