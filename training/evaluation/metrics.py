"""Numbers made of ranks; rank 1 is best and ties already count against the target."""

import numpy as np

from nextvec.training.vectors import Int64


def hit_at_k(rank_Q: Int64, k: int) -> float:
    """Share of queries whose target ranks among the first ``k`` candidates.

    With one relevant item per query this equals the Recall@K of Hidasi et al. 2016
    (https://arxiv.org/abs/1511.06939).

    Args:
        rank_Q: rank of each query's target, at least 1; shape ``(Q,)``.
        k: cut-off, at least 1.

    Returns:
        A fraction in [0, 1], not a percentage.

    Raises:
        ValueError: no queries, or a rank or ``k`` below 1.

    Example:
        >>> hit_at_k(np.array([1, 7]), k=5)
        0.5
    """
    _check(rank_Q, k)
    return float((rank_Q <= k).mean())


def mrr_at_k(rank_Q: Int64, k: int = 10) -> float:
    """Mean of 1 / rank, counting 0 beyond the first ``k`` candidates.

    Example:
        >>> mrr_at_k(np.array([1, 2, 11]), k=10)
        0.5
    """
    _check(rank_Q, k)
    return float(np.where(rank_Q <= k, 1 / rank_Q, 0.0).mean())


def _check(rank_Q: Int64, k: int) -> None:
    if k < 1:
        msg = f"k must be at least 1, got {k}"
        raise ValueError(msg)
    if len(rank_Q) == 0:
        msg = "no queries to take the mean of"
        raise ValueError(msg)
    if rank_Q.min() < 1:
        msg = f"ranks start at 1, got {rank_Q.min()}"
        raise ValueError(msg)
