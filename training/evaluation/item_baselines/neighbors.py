"""What the most similar training sequences hold: V-SKNN."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.sparse import coo_array, csr_array

from training.corpus.corpus import Corpus
from training.corpus.windows import Windows
from training.evaluation.item_baselines.scored import ItemBaseline, by_lag, events_of
from training.vectors import Float32, Int64

_NUM_NEAREST: Final = (50, 100, 300)
_IDF_SHARES: Final = (0.0, 1.0)


@dataclass(frozen=True)
class SequenceNeighbors(ItemBaseline):
    """V-SKNN of Ludewig and Jannach 2018 (https://arxiv.org/abs/1803.09587).

    A training sequence is as similar as the items it shares with the context weigh
    there, an item ``place / length`` (the newest 1). Of the nearest sequences an item
    gets ``sum of similarity / steps back to the newest shared item * (1 + l idf)``.
    """

    is_in: csr_array = field(repr=False)
    """Which items are in which training sequence, 0 or 1, shape ``(S, N)``."""

    num_nearest: int
    """Sequences that are asked."""

    idf_share: float
    """l: how much rare items are preferred."""

    family: str = "V-SKNN"

    @property
    def name(self) -> str:
        """Nearest sequences, and how much rarity counts."""
        return f"V-SKNN({self.num_nearest}, {self.idf_share:g})"

    def scores(self, windows: Windows) -> Float32:
        """Score the whole catalogue after each context; shape ``(Q, N)``."""
        num_sequences, num_items = self.is_in.shape
        has = csr_array(self.is_in.T)
        similarity_QS = np.zeros((len(windows), num_sequences), np.float32)
        steps_QS = np.full_like(similarity_QS, np.inf)
        # from the oldest on, so that the newest shared item has the last word
        for lag in reversed(range(windows.width)):
            (there,) = np.nonzero(windows.lengths > lag)
            weight = np.zeros(lag + 1)
            weight[lag] = 1.0
            shared = by_lag(windows.take(there), weight, num_items) @ has
            shared_QS = shared.toarray() > 0
            place_Q = (windows.lengths[there] - lag) / windows.lengths[there]
            similarity_QS[there] += shared_QS * place_Q[:, None].astype(np.float32)
            steps_QS[there] = np.where(shared_QS, lag + 1, steps_QS[there])
        if self.num_nearest < num_sequences:
            order = np.argpartition(-similarity_QS, self.num_nearest, axis=1)
            np.put_along_axis(similarity_QS, order[:, self.num_nearest :], 0.0, axis=1)
        found: Float32 = np.asarray((similarity_QS / steps_QS) @ self.is_in)
        count_N = np.asarray(self.is_in.sum(axis=0)).ravel()
        idf_N = np.log(num_sequences / np.maximum(count_N, 1))
        return (found * (1 + self.idf_share * idf_N)).astype(np.float32)


def fit_neighbors(corpus: Corpus, train: Int64) -> list[SequenceNeighbors]:
    """Take the training sequences."""
    rows, sequence = events_of(corpus, train)
    shape = (len(train), len(corpus.vectors))
    is_in = csr_array(
        coo_array((np.ones(len(rows), np.float32), (sequence, rows)), shape=shape)
    )
    is_in.data[:] = 1.0
    return [
        SequenceNeighbors(is_in, nearest, share)
        for nearest in _NUM_NEAREST
        for share in _IDF_SHARES
    ]
