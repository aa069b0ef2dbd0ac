"""Ranks of targets; needs NumPy alone, since two environments import it."""

import numpy as np
from numpy.typing import NDArray


def target_ranks(
    score_QN: NDArray[np.floating],
    target_Q: NDArray[np.int64],
    context_QT: NDArray[np.int64],
    *,
    excludes_context: bool,
) -> NDArray[np.int64]:
    """Rank each window's target among all items (evaluation protocol, rule 6).

    The plain way to what `nextvec.training.evaluation.ranking.Ranker` does for the
    pool of the whole catalogue.

    Args:
        score_QN: score of every item for every window, higher is better.
        target_Q: row of each target, -1 for one that training never saw.
        context_QT: rows of each context, padded with -1.
        excludes_context: whether the items of the context are no candidates.

    Returns:
        1 + the number of other candidates that score at least as high: ties count
        against the target. A target that is no candidate gets N + 1.

    Raises:
        ValueError: a score is not finite (it would compare with nothing).

    Example:
        >>> scores = np.array([[0.9, 0.5, 0.5, 0.1]])
        >>> target_ranks(scores, np.array([1]), np.array([[0]]), excludes_context=True)
        array([2])
    """
    if not np.isfinite(score_QN).all():
        msg = "a score is NaN or infinite"
        raise ValueError(msg)
    num_items = score_QN.shape[1]
    rank_Q = np.full(len(score_QN), num_items + 1, dtype=np.int64)
    for query, (score_N, target) in enumerate(zip(score_QN, target_Q, strict=True)):
        is_candidate_N = np.ones(num_items, dtype=bool)
        if excludes_context:
            context = context_QT[query]
            is_candidate_N[context[context >= 0]] = False
        if target < 0 or not is_candidate_N[target]:
            continue
        # the target itself is the 1
        rank_Q[query] = (score_N[is_candidate_N] >= score_N[target]).sum()
    return rank_Q
