"""Training sequences that share items with a context, and what they hold."""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline, events_of
from nextvec.training.vectors import Float32, Int64

ABSENT: Final = np.iinfo(np.int32).max
"""Lag of an item that is not in a context."""

_BLOCK_ENTRIES: Final = 1 << 20
# Items of neighbors, similarities, or scores held at a time: some 8 MB of each.

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """The training sequences as sets of items, made once for all settings."""

    last_place: csr_array
    """Place of the last of each item in each sequence, from 1; shape ``(S, N)``."""

    has: csr_array
    """Which items are in which sequence, 0 or 1; shape ``(N, S)``."""

    num_items: Int64
    """Different items of each sequence, shape ``(S,)``."""

    idf: Float64
    """``log(S / sequences with the item)``, shape ``(N,)``."""

    @classmethod
    def of(cls, corpus: Corpus, train: Int64) -> Self:
        """Take the training sequences."""
        rows, sequence = events_of(corpus, train)
        place = np.arange(len(rows)) - np.searchsorted(sequence, sequence) + 1
        size = len(corpus.vectors)
        # the last of equal keys is the first of the list turned round
        keys, first = np.unique((sequence * size + rows)[::-1], return_index=True)
        entries, shape = (keys // size, keys % size), (len(train), size)
        last_place = csr_array(coo_array((place[::-1][first], entries), shape=shape))
        is_in = last_place.astype(np.float32)
        is_in.data[:] = 1.0
        count_N = np.bincount(last_place.indices, minlength=size)
        return cls(
            last_place=last_place,
            has=csr_array(is_in.T),
            num_items=np.diff(last_place.indptr).astype(np.int64),
            idf=np.log(len(train) / np.maximum(count_N, 1)),
        )


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The nearest sequences of some contexts, one after the other, and their items."""

    query: Int64
    """Number of the context, shape ``(P,)``."""

    similarity: Float64
    """Of the two, above 0, shape ``(P,)``."""

    newest: Int64
    """Lag of the newest item of the context that the sequence holds, ``(P,)``."""

    pair: Int64
    """Which of these each item of a sequence belongs to, ascending, ``(E,)``."""

    item: Int64
    """Row of the item, one entry for each of a sequence, ``(E,)``."""

    place: Int64
    """Place of the last of it in the sequence, from 1, ``(E,)``."""

    lag: Int64
    """Its lag in the context, `ABSENT` if it is not there, ``(E,)``."""


@dataclass(frozen=True)
class Neighborhood(ItemBaseline):
    """Scores by ``sum over the nearest sequences of what each says * (1 + l idf)``."""

    sequences: Sequences = field(repr=False)

    num_nearest: int
    """Sequences that are asked."""

    idf_share: float
    """l: how much rare items are preferred."""

    def similarity(self, windows: Windows, lag_QN: Int64) -> Float32:
        """Say how similar each training sequence is to each context; ``(Q, S)``.

        Args:
            windows: whose contexts.
            lag_QN: steps back to the newest of each item, `ABSENT` where there is none.
        """
        raise NotImplementedError

    def said(self, neighbors: Neighbors) -> Float64:
        """Return what each entry adds to the score of its item, shape ``(E,)``."""
        raise NotImplementedError

    def scores(self, windows: Windows) -> Float32:
        """Score the whole catalogue after each context; shape ``(Q, N)``."""
        num_sequences, num_items = self.sequences.last_place.shape
        entries = self.num_nearest * int(self.sequences.num_items.mean())
        block = max(1, _BLOCK_ENTRIES // max(num_sequences, num_items, entries))
        found_QN = np.empty((len(windows), num_items), dtype=np.float32)
        for start in range(0, len(windows), block):
            part = np.arange(start, min(start + block, len(windows)))
            found_QN[part] = self._asked(windows.take(part))
        return found_QN

    def _asked(self, windows: Windows) -> Float64:
        num_items = len(self.sequences.idf)
        lag_QN = _newest_lags(windows, num_items)
        similarity_QS = self.similarity(windows, lag_QN)
        near = _neighbors(similarity_QS, self.num_nearest, lag_QN, self.sequences)
        cells_E = near.query[near.pair] * num_items + near.item
        sums = np.bincount(cells_E, self.said(near), minlength=lag_QN.size)
        return sums.reshape(lag_QN.shape) * (1 + self.idf_share * self.sequences.idf)


def _newest_lags(windows: Windows, num_items: int) -> Int64:
    lag_QN = np.full((len(windows), num_items), ABSENT, dtype=np.int64)
    # from the oldest on, so that the newest has the last word
    for lag in reversed(range(windows.width)):
        (there,) = np.nonzero(windows.lengths > lag)
        rows = windows.context_rows[there, windows.lengths[there] - 1 - lag]
        lag_QN[there, rows] = lag
    return lag_QN


def _neighbors(
    similarity_QS: Float32, num_nearest: int, lag_QN: Int64, sequences: Sequences
) -> Neighbors:
    """Choose the nearest sequences that share something, and look up their items."""
    num_nearest = min(num_nearest, similarity_QS.shape[1])
    nearest_QK = np.argpartition(-similarity_QS, num_nearest - 1, axis=1)
    nearest_QK = nearest_QK[:, :num_nearest]
    similarity_QK = np.take_along_axis(similarity_QS, nearest_QK, axis=1)
    query_P, column_P = np.nonzero(similarity_QK > 0)
    sequence_P = nearest_QK[query_P, column_P]
    held_P = sequences.num_items[sequence_P]
    start_P = np.cumsum(held_P) - held_P
    pair_E = np.repeat(np.arange(len(query_P)), held_P)
    offset_P = sequences.last_place.indptr[sequence_P] - start_P
    entry_E = np.arange(len(pair_E)) + offset_P[pair_E]
    item_E = sequences.last_place.indices[entry_E].astype(np.int64)
    lag_E = lag_QN[query_P[pair_E], item_E]
    return Neighbors(
        query=query_P,
        similarity=similarity_QK[query_P, column_P].astype(np.float64),
        newest=np.minimum.reduceat(lag_E, start_P) if len(query_P) else query_P,
        pair=pair_E,
        item=item_E,
        place=sequences.last_place.data[entry_E],
        lag=lag_E,
    )
