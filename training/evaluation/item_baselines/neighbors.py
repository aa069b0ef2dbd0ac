"""What the most similar training sequences hold: V-SKNN and VSTAN."""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from scipy.sparse import csr_array, diags_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.neighborhood import (
    ABSENT,
    Float64,
    Neighborhood,
    Neighbors,
    Sequences,
)
from nextvec.training.evaluation.item_baselines.scored import by_lag
from nextvec.training.vectors import Float32, Int64

_NUM_NEAREST: Final = (50, 100, 300)
_IDF_SHARES: Final = (0.0, 1.0)

_TIMED_NEAREST: Final = 100
_SPANS: Final = (3.0, 10.0)
_REACHES: Final = (3.0, 10.0, 30.0)
# Hit@10 on validation: films want 10 and 30 (19.2 %; a span of 30 gives 18.1), tunes 10
# and 3 (78.1 %); the 300 nearest brought neither more.


@dataclass(frozen=True)
class SequenceNeighbors(Neighborhood):
    """V-SKNN of Ludewig and Jannach 2018 (https://arxiv.org/abs/1803.09587).

    A training sequence is as similar as the items it shares with the context weigh
    there, an item ``place / length`` (the newest 1). Of the nearest sequences an item
    gets ``sum of similarity / steps back to the newest shared item * (1 + l idf)``.
    """

    family: str = "V-SKNN"

    @property
    def name(self) -> str:
        """Nearest sequences, and how much rarity counts."""
        return f"V-SKNN({self.num_nearest}, {self.idf_share:g})"

    def similarity(self, windows: Windows, lag_QN: Int64) -> Float32:
        """Weigh shared items by their places, one that came twice by both."""
        num_items = lag_QN.shape[1]
        often = by_lag(windows, np.ones(windows.width), num_items)
        lags = by_lag(windows, np.arange(0.0, windows.width), num_items)
        weight_QN = often - diags_array(1 / windows.lengths) @ lags
        found_QS: Float32 = (weight_QN @ self.sequences.has).toarray()
        return found_QS.astype(np.float32)

    def said(self, neighbors: Neighbors) -> Float64:
        """Say the same of all items of a sequence."""
        said_P = neighbors.similarity / (neighbors.newest + 1)
        return np.asarray(said_P[neighbors.pair])


@dataclass(frozen=True)
class SequenceTimeNeighbors(Neighborhood):
    """VSTAN of Latifi et al. 2021 (https://arxiv.org/abs/2011.03424).

    V-SKNN with the decays of STAN (Garg et al., SIGIR 2019,
    https://doi.org/10.1145/3331184.3331322): a training sequence n is similar by
    ``sum of e^(-lag / span) of the shared items / sqrt(items of n)``, and an item gets
    ``sum over the nearest of similarity * e^(-lag* / span) * e^(-|place - place*| /
    reach) * (1 + l idf)``. lag* is that of the newest shared item, and place* and place
    are where n has that item, and the one that is scored, for the last time. How old a
    sequence is does not count: a corpus tells no time.
    """

    span: float
    """Steps of a context in which an item comes to count 1 / e."""

    reach: float
    """Steps of a neighbor from the newest shared item in which it does."""

    family: str = "VSTAN"

    @property
    def name(self) -> str:
        """Nearest sequences, span and reach."""
        return f"VSTAN({self.num_nearest}, {self.span:g}, {self.reach:g})"

    def similarity(self, windows: Windows, lag_QN: Int64) -> Float32:
        """Weigh shared items by their newest places."""
        del windows
        weight_QN = csr_array(np.where(lag_QN < ABSENT, np.exp(-lag_QN / self.span), 0))
        found_QS: Float32 = (weight_QN @ self.sequences.has).toarray()
        return (found_QS / np.sqrt(self.sequences.num_items)).astype(np.float32)

    def said(self, neighbors: Neighbors) -> Float64:
        """Say most of what stands near the newest shared item."""
        pair_E = neighbors.pair
        is_newest_E = neighbors.lag == neighbors.newest[pair_E]
        steps_E = np.abs(neighbors.place - neighbors.place[is_newest_E][pair_E])
        said_P = neighbors.similarity * np.exp(-neighbors.newest / self.span)
        return np.asarray(said_P[pair_E] * np.exp(-steps_E / self.reach))


def fit_neighbors(
    corpus: Corpus, train: Int64
) -> list[SequenceNeighbors | SequenceTimeNeighbors]:
    """Take the training sequences."""
    sequences = Sequences.of(corpus, train)
    plain = [
        SequenceNeighbors(sequences, nearest, share)
        for nearest, share in product(_NUM_NEAREST, _IDF_SHARES)
    ]
    timed = [
        SequenceTimeNeighbors(sequences, _TIMED_NEAREST, 1.0, span, reach)
        for span, reach in product(_SPANS, _REACHES)
    ]
    return [*plain, *timed]
