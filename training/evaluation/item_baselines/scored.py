"""What the closed forms over ids have in common: scores for the whole catalogue."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.vectors import Float32, Int64


class ItemBaseline:
    """A baseline that looks at the names of items and at no vector."""

    def scores(self, windows: Windows) -> Float32:
        """Score the whole catalogue after each context; shape ``(Q, N)``."""
        raise NotImplementedError

    def ranks(
        self, judge: Judge, context_QTD: Tensor, length_Q: Tensor
    ) -> dict[PoolName, Int64]:
        """Rank the targets of the judge's windows in every pool."""
        del context_QTD, length_Q
        scores = self.by_part(judge.suite.windows)
        return {n: r.ranks_by_scores(scores) for n, r in judge.rankers.items()}

    def by_part(self, windows: Windows) -> Callable[[slice], Tensor]:
        """Return what scores the windows of a slice, shape ``(Q, N)``."""

        def scores(part: slice) -> Tensor:
            numbers = np.arange(part.start, part.stop)
            return torch.from_numpy(self.scores(windows.take(numbers)))

        return scores


def by_lag(
    windows: Windows, weights: Sequence[float] | NDArray[np.floating], num_items: int
) -> csr_array:
    """Weigh the items of contexts by how long ago they came.

    Args:
        windows: whose contexts, of items alone.
        weights: of the newest item, of the one before, ...; older ones count nothing.
        num_items: rows of the catalogue, N.

    Returns:
        Sparse, shape ``(Q, N)``; an item that came twice has the sum.
    """
    queries, columns, values = [], [], []
    for lag, weight in enumerate(weights):
        position_Q = windows.lengths - 1 - lag
        (there,) = np.nonzero(position_Q >= 0)
        queries.append(there)
        columns.append(windows.context_rows[there, position_Q[there]])
        values.append(np.full(len(there), weight))
    entries = np.concatenate(values)
    places = (np.concatenate(queries), np.concatenate(columns))
    return csr_array((entries, places), shape=(len(windows), num_items))


def events_of(corpus: Corpus, sequences: Int64) -> tuple[Int64, Int64]:
    """Return the items of some sequences, one after the other.

    Returns:
        Row of each event, and number of its sequence, 0, 1, ...; both ``(E,)``.
    """
    known = [corpus.known(number) for number in sequences.tolist()]
    lengths = [len(rows) for rows in known]
    return np.concatenate(known), np.repeat(np.arange(len(known)), lengths)


def popularity_of(corpus: Corpus, sequences: Int64) -> Float32:
    """Return the share of all events that each item is, shape ``(N,)``."""
    rows, _ = events_of(corpus, sequences)
    counts = np.bincount(rows, minlength=len(corpus.vectors))
    return (counts / max(1, len(rows))).astype(np.float32)
