"""What follows an item, where a hidden class of an older one has a say: by EM."""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.scored import (
    ItemBaseline,
    events_of,
    popularity_of,
)
from nextvec.training.vectors import Float32, Int64

STEPS: Final = (1, 2, 3, 4)
"""How far before the newest item the one lies that is asked for its class."""

CLASSES: Final = (3, 8)
"""Hidden classes."""

_ROUNDS: Final = 60
_SHARED: Final = 1.0
# Events' worth of what follows the item in any class, in each class.
_EVEN: Final = 0.3
# Events' worth of each class, of an item.

_BLOCK_CELLS: Final = 1 << 22

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Events:
    """Training events that have an item before, and one that far before that."""

    older: Int64
    newest: Int64
    pair: Int64
    """Number of the pair of the newest and what followed it."""

    @classmethod
    def of(cls, rows: Int64, sequence: Int64, pair: Int64, steps: int) -> Self:
        """Take those that lie in one sequence, ``steps`` apart."""
        (last,) = np.nonzero(sequence[: -steps - 1] == sequence[steps + 1 :])
        return cls(rows[last], rows[last + steps], pair[last + steps])


@dataclass(frozen=True)
class AggregateMarkov(ItemBaseline):
    """``p(w | a, b) = sum over k of p(k | b) p(w | a, k)``, k a hidden class of b.

    An aggregate Markov model (Saul and Pereira 1997,
    https://arxiv.org/abs/cmp-lg/9706007) whose class picks among tables of what follows
    the newest item a; b lies some steps before it. It finds a rule of the kind "which
    table holds, an older item says" in data where no run of items comes twice.
    """

    steps: int
    classes: int
    class_shares: Float32 = field(repr=False)
    """Probability of each class of each item, of no item in the last row; shape
    ``(N + 1, K)``."""

    tables: tuple[csr_array, ...] = field(repr=False)
    """For each class what followed each item in training, ``(N, N)``."""

    rest: Float32 = field(repr=False)
    """What each item leaves to popularity in each class, ``(N, K)``."""

    popularity: Float32 = field(repr=False)

    family: str = "aggregate Markov"

    @property
    def name(self) -> str:
        """The steps, and the number of classes."""
        return f"aggregate Markov({self.steps}, {self.classes})"

    def scores(self, windows: Windows) -> Float32:
        """Score by probability; shape ``(Q, N)``."""
        return self.probabilities(windows)

    def probabilities(self, windows: Windows) -> Float32:
        """Say how likely each item comes next; shape ``(Q, N)``, rows sum to 1."""
        size = len(self.popularity)
        found = np.empty((len(windows), size), dtype=np.float32)
        block = max(1, _BLOCK_CELLS // size)
        for start in range(0, len(windows), block):
            part = np.arange(start, min(start + block, len(windows)))
            found[part] = self._mixed(windows.take(part))
        return found

    def _mixed(self, windows: Windows) -> Float32:
        query_Q = np.arange(len(windows))
        newest_Q = windows.context_rows[query_Q, windows.lengths - 1]
        place_Q = windows.lengths - 1 - self.steps
        older_Q = windows.context_rows[query_Q, np.maximum(place_Q, 0)]
        class_QK = self.class_shares[np.where(place_Q >= 0, older_Q, -1)]
        left_Q = (class_QK * self.rest[newest_Q]).sum(axis=1)
        found_QN: Float32 = left_Q[:, None] * self.popularity
        for number, table in enumerate(self.tables):
            part = table[newest_Q].multiply(class_QK[:, number, None]).tocsr()
            rows = np.repeat(query_Q, np.diff(part.indptr))
            found_QN[rows, part.indices] += part.data
        return found_QN


def fit_aggregate_markov(corpus: Corpus, train: Int64) -> list[AggregateMarkov]:
    """Fit every setting by EM on the training sequences."""
    rows, sequence = events_of(corpus, train)
    counted = _Counted.of(corpus, train, rows, sequence)
    pair = counted.pairs_of(rows)
    return [
        _fit(counted, _Events.of(rows, sequence, pair, steps), steps, classes)
        for steps in STEPS
        for classes in CLASSES
    ]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A chain of the first order, backed off to popularity (Witten and Bell 1991)."""

    keys: Int64
    """``item * N + what followed``, ascending, shape ``(P,)``."""

    share: Float64
    """Of what followed, for each pair, without popularity; ``(P,)``."""

    left: Float64
    """What each item leaves to popularity, ``(N,)``."""

    popularity: Float64

    @classmethod
    def of(cls, corpus: Corpus, train: Int64, rows: Int64, sequence: Int64) -> Self:
        """Count the training sequences."""
        popularity = popularity_of(corpus, train).astype(np.float64)
        size = len(popularity)
        same = sequence[:-1] == sequence[1:]
        keys, counts = np.unique(
            rows[:-1][same] * size + rows[1:][same], return_counts=True
        )
        total = np.bincount(keys // size, weights=counts, minlength=size)
        kinds = np.bincount(keys // size, minlength=size)
        share = counts / (total + kinds)[keys // size]
        known = total + kinds > 0
        left = np.divide(kinds, total + kinds, out=np.ones(size), where=known)
        return cls(keys, share, left, popularity)

    def pairs_of(self, rows: Int64) -> Int64:
        """Return the pair that each event begins, some other at a sequence's end."""
        after = np.append(rows[1:], 0)
        key = rows * len(self.popularity) + after
        at: Int64 = np.searchsorted(self.keys, key)
        return np.minimum(at, len(self.keys) - 1)


def _fit(
    counted: _Counted, events: _Events, steps: int, classes: int
) -> AggregateMarkov:
    size, num_pairs = len(counted.popularity), len(counted.keys)
    item_P, after_P = counted.keys // size, counted.keys % size
    whole_P = counted.share + counted.left[item_P] * counted.popularity[after_P]
    rng = np.random.default_rng([steps, classes])
    class_NK = rng.dirichlet(np.ones(classes), size)
    noise_EK = rng.uniform(0.5, 1.5, (len(events.older), classes))
    part_EK = class_NK[events.older] * noise_EK
    part_EK /= part_EK.sum(axis=1, keepdims=True)
    of_pair, of_newest, of_older = (
        _incidence(events.pair, num_pairs),
        _incidence(events.newest, size),
        _incidence(events.older, size),
    )
    for _ in range(_ROUNDS):
        count_PK = of_pair @ part_EK
        total_NK = of_newest @ part_EK + _SHARED
        class_NK = of_older @ part_EK + _EVEN
        class_NK /= class_NK.sum(axis=1, keepdims=True)
        table_PK = (count_PK + _SHARED * whole_P[:, None]) / total_NK[item_P]
        part_EK = class_NK[events.older] * table_PK[events.pair]
        part_EK /= part_EK.sum(axis=1, keepdims=True)
    # beside popularity, which is added for all items at once
    seen_PK = (count_PK + _SHARED * counted.share[:, None]) / total_NK[item_P]
    offsets = np.searchsorted(item_P, np.arange(size + 1))
    tables = tuple(
        csr_array(
            (seen_PK[:, k].astype(np.float32), after_P, offsets), shape=(size, size)
        )
        for k in range(classes)
    )
    overall_K = part_EK.mean(axis=0) if len(part_EK) else np.full(classes, 1 / classes)
    return AggregateMarkov(
        steps=steps,
        classes=classes,
        class_shares=np.vstack([class_NK, overall_K]).astype(np.float32),
        tables=tables,
        rest=(counted.left[:, None] * _SHARED / total_NK).astype(np.float32),
        popularity=counted.popularity.astype(np.float32),
    )


def _incidence(index_E: Int64, size: int) -> csr_array:
    """Return what sums rows of events by an index, ``(size, E)``."""
    num_events = len(index_E)
    places = (index_E, np.arange(num_events))
    return csr_array((np.ones(num_events), places), shape=(size, num_events))
