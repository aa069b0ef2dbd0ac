"""The neighbors of one prediction: exact, in a fixed order, without the context."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from nextvec.app.bundle.index import Found, NeighborIndex
from nextvec.app.bundle.searcher import Candidates, Selection
from nextvec.training.vectors import Float32, Int64

CONTEXT_COSINE: Final = 1 - 1e-5
"""A row at least this close to a vector of the context is that vector.

Float32 rounding of a cosine stays below 1e-6 at D = 1024, so the rule finds a row
however it was sent (as numbers, octets or id); real duplicates start at 0.999."""

_SLACK: Final = 8


@dataclass(frozen=True, slots=True)
class Copies:
    """Items of a context, and how much more they score for having been there."""

    rows: Int64
    """Each once, ascending; shape ``(M,)``."""

    weights: Float32
    """Log weight of each, shape ``(M,)``: its score becomes ``log(exp(score) +
    exp(weight))``."""

    @classmethod
    def of(cls, rows_T: Int64, weight_T: Float32) -> Self:
        """Add up what the places of a context weigh.

        Args:
            rows_T: row at each place, -1 for none.
            weight_T: log weight of each place.
        """
        rows_M, place_T = np.unique(rows_T, return_inverse=True)
        weight_M = np.full(len(rows_M), -np.inf, np.float32)
        np.logaddexp.at(weight_M, place_T, weight_T)
        return cls(rows_M[rows_M >= 0], weight_M[rows_M >= 0])

    def raised(self, rows: Int64, scores: Float32) -> Float32:
        """Return the scores of some rows with what their being there adds."""
        place = np.searchsorted(self.rows, rows).clip(max=max(0, len(self.rows) - 1))
        if len(self.rows) == 0:
            return scores
        weight = np.where(self.rows[place] == rows, self.weights[place], -np.inf)
        raised: Float32 = np.logaddexp(scores, weight).astype(np.float32)
        return raised

    def added_to(
        self, rows: Int64, index: NeighborIndex, query_D: Float32, *, beta: float
    ) -> Found:
        """Return the rows of a search and the copied items, in no particular order."""
        rows = np.union1d(rows, self.rows)
        return Found(rows, self.raised(rows, index.scores(rows, query_D, beta=beta)))


def reach(k: int, num_context: int) -> int:
    """Return how many candidates to ask for, so that mostly one search is enough."""
    return k + num_context + _SLACK


def find_neighbors(
    index: NeighborIndex,
    query_D: Float32,
    k: int,
    *,
    selection: Selection | None = None,
    context_TD: Float32 | None = None,
    beta: float = 0.0,
    copies: Copies | None = None,
    first: Candidates | None = None,
) -> Found:
    """Find the ``k`` rows with the highest scores for a prediction.

    Args:
        index: where to search.
        query_D: prediction in the searched space.
        k: results, at least 1.
        selection: the rows that may be found; None allows all.
        context_TD: unit vectors in the searched space whose rows are left out
            (`CONTEXT_COSINE`); None leaves nothing out.
        beta: share of its hubness that a row scores less; 0 is plain cosine.
        copies: items that score more than their vectors say; where there are some,
            any row may be found and no context is left out.
        first: candidates for this query, when they were found together with others.

    Returns:
        ``k`` results, or all that may be found where there are fewer; best first, equal
        scores by row. The same whatever else was searched at the same time, and
        whatever kind of exact index. Of an index that does not find everything, what
        it finds when it is asked for all.
    """
    num_context = 0 if context_TD is None else len(context_TD)
    wanted, most = reach(k, num_context), index.count(selection)
    found = first
    if found is None:
        found = index.candidates(query_D[None], wanted, [selection], beta=beta)[0]
    while True:
        if copies is None:
            rows, scores = found.rows, index.scores(found.rows, query_D, beta=beta)
        else:
            added = copies.added_to(found.rows, index, query_D, beta=beta)
            rows, scores = added.rows, added.scores
        best = _best(index, rows, scores, k, context_TD)
        is_sure = len(best) == k and scores[best[-1]] > found.ceiling
        # an index may hold more than it finds: having asked for all is the end, too
        if is_sure or len(found.rows) == most or wanted >= most:
            return Found(rows[best], scores[best])
        wanted = 4 * max(wanted, len(found.rows))
        found = index.best(query_D, wanted, selection, beta=beta)


def _best(
    index: NeighborIndex,
    rows: Int64,
    scores: Float32,
    k: int,
    context_TD: Float32 | None,
) -> Int64:
    """Return the places of the ``k`` best rows that are not of the context."""
    order: Int64 = np.lexsort((rows, -scores))
    if context_TD is None:
        return order[:k]
    kept, num_kept = [], 0
    # the best first: mostly some more than k are looked at, not all
    for start in range(0, len(order), 4 * k):
        part = order[start : start + 4 * k]
        cosine_PT = index.vectors[rows[part]] @ context_TD.T
        kept.append(part[cosine_PT.max(axis=1, initial=-1.0) < CONTEXT_COSINE])
        num_kept += len(kept[-1])
        if num_kept >= k:
            break
    return np.concatenate([*kept, order[:0]])[:k]
