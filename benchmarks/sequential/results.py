"""Figures from ranks, in the form of this project's own."""

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.sequential.export import Export
from training.evaluation.evaluation import KS
from training.evaluation.metrics import mrr_at_k
from training.evaluation.statistics import estimate
from training.vectors import Int64


def figures(export: Export, part: str, rank_Q: Int64) -> dict[str, Any]:
    """Return one part's figures as plain JSON types.

    Args:
        export: whose windows were ranked.
        part: "validation" or "test".
        rank_Q: rank of each window's target.

    Returns:
        Counts, Hit@K with a 95 % interval by a bootstrap over sequences, MRR@10.

    Raises:
        ValueError: there are not as many ranks as windows.
    """
    windows = export.windows[part]
    if len(rank_Q) != len(windows):
        msg = f"{part}: expected {len(windows)} ranks, got {len(rank_Q)}"
        raise ValueError(msg)
    hits = {k: estimate((rank_Q <= k).astype(float), windows.documents) for k in KS}
    return {
        "num_windows": len(windows),
        "num_sequences": len(np.unique(windows.documents)),
        "num_candidates": export.num_items,
        "num_unseen": int((windows.target_rows < 0).sum()),
        "excludes_context": export.excludes_context,
        "hit_at": {str(k): asdict(hit) for k, hit in hits.items()},
        "mrr_at_10": mrr_at_k(rank_Q, 10),
    }
