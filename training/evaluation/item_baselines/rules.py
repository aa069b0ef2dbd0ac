"""Rules counted in training sequences: which item follows which, and how soon."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.scored import (
    ItemBaseline,
    by_lag,
    events_of,
    popularity_of,
)
from nextvec.training.vectors import Float32, Int64

REACH: Final = 10
"""Steps within which one item counts as a consequence of another."""

DECAYS: Final = (0.0, 0.5, 0.7, 0.9)
"""How much less an item says for each step it is older; 0 asks the newest alone."""

Float64 = NDArray[np.float64]

_FALLBACK: Final = 1e-6
# Of popularity, for what no rule speaks of: below any share that a rule can have.


@dataclass(frozen=True)
class Rules(ItemBaseline):
    """MC and SR of Ludewig and Jannach 2018 (https://arxiv.org/abs/1803.09587).

    ``score(b) = sum over lags of decay^lag R[item at that lag, b]``, with rows of R
    that sum to 1. A Markov chain counts what follows at once, and asks the newest item;
    sequential rules count ``1 / steps`` for all that follows within `REACH`.
    """

    table: csr_array = field(repr=False)
    """R, shape ``(N, N)``."""

    popularity: Float32 = field(repr=False)
    """Share of the events that each item is, ``(N,)``: orders what no rule names."""

    reach: int
    """Steps that were counted; 1 for a Markov chain."""

    decay: float = 0.0

    @property
    def name(self) -> str:
        """MC, or SR with its decay."""
        return "MC" if self.reach == 1 else f"SR({self.decay:g})"

    @property
    def family(self) -> str:
        """Markov chain or sequential rules."""
        return "Markov chain" if self.reach == 1 else "sequential rules"

    def scores(self, windows: Windows) -> Float32:
        """Score the whole catalogue after each context; shape ``(Q, N)``."""
        weights = self.decay ** np.arange(windows.width if self.decay else 1)
        asked = by_lag(windows, weights, len(self.popularity))
        found: Float32 = (asked @ self.table).toarray().astype(np.float32)
        return found + np.float32(_FALLBACK) * self.popularity


def fit_rules(corpus: Corpus, train: Int64) -> list[Rules]:
    """Count both kinds of rules in the training sequences."""
    popularity = popularity_of(corpus, train)
    chain = Rules(_table(corpus, train, 1), popularity, reach=1)
    table = _table(corpus, train, REACH)
    return [chain, *(Rules(table, popularity, REACH, decay) for decay in DECAYS)]


def _table(corpus: Corpus, train: Int64, reach: int) -> csr_array:
    rows, sequence = events_of(corpus, train)
    size = len(corpus.vectors)
    counts = csr_array((size, size), dtype=np.float64)
    for steps in range(1, reach + 1):
        same = sequence[:-steps] == sequence[steps:]
        before, after = rows[:-steps][same], rows[steps:][same]
        each = np.full(len(before), 1 / steps)
        counts = counts + coo_array((each, (before, after)), shape=(size, size))
    total: Float64 = np.asarray(counts.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros(size), where=total > 0)
    return csr_array(diags_array(scale) @ counts)
