"""What followed the same few items in training: Kneser-Ney, with a cache."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.repeats import repeat_share
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.context_cache import cache_of
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline, events_of
from nextvec.training.evaluation.suite import MIN_REPEAT_SHARE
from nextvec.training.vectors import Float32, Int64

ORDERS: Final = (3, 5, 7)
"""Items of the longest run that is counted, the one that follows among them."""

CACHE_SHARES: Final = (0.0, 0.1, 0.3, 0.5, 0.6)
"""Shares of the cache in the mixture; 0 alone where items do not return."""

_PLAIN_DISCOUNT: Final = 0.5
# Where nothing was counted once, for which the formula knows no discount: a discount of
# 0 would leave what was never seen without any probability.

_BLOCK_CELLS: Final = 1 << 22
# Probabilities and places of contexts held at a time, beside the answer itself.

Counts = tuple[Int64, Int64]
"""Runs of one length, ascending, each as ``context * N + item``, and their counts."""


@dataclass(frozen=True, slots=True)
class Level:
    """All contexts of one length that something followed in training."""

    keys: Int64
    """``shorter context * N + the item before it``, ascending, shape ``(C,)``; where a
    key stands is the number of its context."""

    shares: csr_array
    """``(count - D) / total`` of what followed each context, shape ``(C, N)``."""

    passed_on: Float32
    """What the discounts left for the next shorter context, shape ``(C,)``."""

    def find(self, shorter_Q: Int64, before_Q: Int64) -> Int64:
        """Return the number of each context, -1 for one that nothing followed.

        Args:
            shorter_Q: number of the context that lacks the oldest item, -1 for none.
            before_Q: that item, -1 for none.
        """
        if len(self.keys) == 0:
            return np.full_like(shorter_Q, -1)
        key_Q = shorter_Q * self.shares.shape[1] + before_Q
        at_Q = np.minimum(np.searchsorted(self.keys, key_Q), len(self.keys) - 1)
        is_there_Q = (shorter_Q >= 0) & (before_Q >= 0) & (self.keys[at_Q] == key_Q)
        return np.where(is_there_Q, at_Q, -1)


@dataclass(frozen=True)
class KneserNey(ItemBaseline):
    """Interpolated Kneser-Ney, mixed with a cache over the context.

    ``p(w | h) = max(c(h w) - D, 0) / c(h) + D kinds(h) / c(h) * p(w | h')``, h' without
    its oldest item and kinds(h) the number of different items after h: Kneser and Ney
    1995, as interpolated by Chen and Goodman 1999
    (https://doi.org/10.1006/csla.1999.0128). The longest runs are counted as often as
    they occur, shorter ones by how many different items, or the start of a sequence,
    came before them. ``D = n_1 / (n_1 + 2 n_2)`` of runs that count 1 and 2, for each
    length apart. Below single items all are alike, so nothing has probability 0.
    """

    levels: tuple[Level, ...] = field(repr=False)
    """Of contexts of 1, 2, ... items."""

    single: Float32 = field(repr=False)
    """Probability of each item after any context, shape ``(N,)``."""

    cache_share: float = 0.0
    """Share of the cache (`cache_of`) in the mixture."""

    family: str = "Kneser-Ney"

    @property
    def name(self) -> str:
        """The order, and the share of the cache."""
        order = len(self.levels) + 1
        cache = f", cache {self.cache_share:g}" if self.cache_share else ""
        return f"Kneser-Ney({order}{cache})"

    def scores(self, windows: Windows) -> Float32:
        """Score by probability; shape ``(Q, N)``."""
        return self.probabilities(windows)

    def probabilities(self, windows: Windows) -> Float32:
        """Say how likely each item comes next; shape ``(Q, N)``, rows sum to 1."""
        found = np.empty((len(windows), len(self.single)), dtype=np.float32)
        block = max(1, _BLOCK_CELLS // max(windows.width, len(self.single)))
        for start in range(0, len(windows), block):
            part = np.arange(start, min(start + block, len(windows)))
            found[part] = self._mixed(windows.take(part))
        return found

    def _mixed(self, windows: Windows) -> Float32:
        found_QN = self._counted(windows)
        if self.cache_share == 0:
            return found_QN
        found_QN[windows.lengths > 1] *= 1 - self.cache_share
        cache = cache_of(windows, len(self.single))
        _add(found_QN, np.arange(len(windows)), cache * self.cache_share)
        return found_QN

    def _counted(self, windows: Windows) -> Float32:
        """Go from single items to ever longer contexts, while there are any."""
        found_QN = np.repeat(self.single[None], len(windows), axis=0)
        context_Q = np.zeros(len(windows), dtype=np.int64)
        for lag, level in enumerate(self.levels):
            place_Q = windows.lengths - 1 - lag
            row_Q = windows.context_rows[
                np.arange(len(windows)), np.maximum(place_Q, 0)
            ]
            context_Q = level.find(context_Q, np.where(place_Q >= 0, row_Q, -1))
            (there,) = np.nonzero(context_Q >= 0)
            known = context_Q[there]
            found_QN[there] *= level.passed_on[known, None]
            _add(found_QN, there, level.shares[known])
        return found_QN


def fit_kneser_ney(corpus: Corpus, train: Int64) -> list[KneserNey]:
    """Count runs of items in the training sequences; no cache where none returns."""
    returns = repeat_share(corpus, train) >= MIN_REPEAT_SHARE
    return [
        KneserNey(levels, single, share)
        for levels, single in count_runs(corpus, train, ORDERS)
        for share in (CACHE_SHARES if returns else CACHE_SHARES[:1])
    ]


def count_runs(
    corpus: Corpus, train: Int64, orders: tuple[int, ...]
) -> list[tuple[tuple[Level, ...], Float32]]:
    """Count once for some orders; what they have in common they share.

    Args:
        corpus: whose sequences these are.
        train: numbers of the training sequences.
        orders: items of the longest runs, each at least 2.

    Returns:
        For each order the levels, and the probability of single items.
    """
    rows, sequence = events_of(corpus, train)
    size = len(corpus.vectors)
    place = np.arange(len(rows)) - np.searchsorted(sequence, sequence)
    # of the context before each event, whose sequence is long enough by then
    context = np.zeros(len(rows), dtype=np.int64)
    keys: list[Int64] = [np.zeros(1, dtype=np.int64)]
    occurring, starting = [], []
    for length in range(max(orders)):
        (there,) = np.nonzero(place >= length)
        if length:
            older = context[there] * size + rows[there - length]
            found, context[there] = np.unique(older, return_inverse=True)
            keys.append(found)
        run = context[there] * size + rows[there]
        occurring.append(np.unique(run, return_counts=True))
        starting.append(np.unique(run[place[there] == length]))
    different = [
        _different(longer, starts, longer_keys, size)
        for (longer, _), starts, longer_keys in zip(
            occurring[1:], starting, keys[1:], strict=False
        )
    ]
    shorter = [_level(keys[n], different[n], size) for n in range(len(different))]
    none = shorter[0]
    single = none.shares.toarray()[0] + none.passed_on[0] / np.float32(size)
    return [
        (
            (
                *shorter[1 : order - 1],
                _level(keys[order - 1], occurring[order - 1], size),
            ),
            single,
        )
        for order in orders
    ]


def _different(longer: Int64, starts: Int64, longer_keys: Int64, size: int) -> Counts:
    """Count what came before runs: different items, and the start of a sequence.

    Args:
        longer: all runs that are one item longer.
        starts: those of the runs that begin a sequence.
        longer_keys: keys of the contexts of the longer ones.
        size: of the catalogue.
    """
    shorter = longer_keys[longer // size] // size
    runs, counts = np.unique(
        np.concatenate([shorter * size + longer % size, starts]), return_counts=True
    )
    return runs, counts


def _level(keys: Int64, counted: Counts, size: int) -> Level:
    runs, counts = counted
    context = runs // size
    kinds = np.bincount(context, minlength=len(keys))
    total = np.bincount(context, weights=counts, minlength=len(keys))
    discount = _discount(counts)
    shares = ((counts - discount) / total[context]).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(kinds)])
    return Level(
        keys=keys,
        shares=csr_array((shares, runs % size, offsets), shape=(len(keys), size)),
        passed_on=(discount * kinds / total).astype(np.float32),
    )


def _discount(counts: Int64) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once else _PLAIN_DISCOUNT


def _add(found_QN: NDArray[np.float32], queries: Int64, part: csr_array) -> None:
    """Add sparse rows to some rows, in place; a row of the part names no item twice."""
    found_QN[np.repeat(queries, np.diff(part.indptr)), part.indices] += part.data
