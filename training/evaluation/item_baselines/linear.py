"""One linear solve over the ids: EASE, SLIT and SLIST."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.scored import (
    ItemBaseline,
    by_lag,
    events_of,
)
from nextvec.training.vectors import Float32, Int64

MAX_ITEMS: Final = 4_000
"""Items up to which these are fitted: 21 tables of 64 MB each at 4,000, and a solve
grows with the third power (1,589 items, all settings: some ten seconds)."""

_PENALTIES: Final = (100.0, 300.0, 1000.0)
_SPANS: Final = (5.0, 10.0)
# Steps in which an item comes to count 1 / e; 2 and 20 were worse on MovieLens 100k.

_MOST_LAGS: Final = 40
_SHARES: Final = (0.0, 0.5, 0.8)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ItemRegression(ItemBaseline):
    """``score = x B``: x the items of the context by age, B solved for in closed form.

    * EASE, Steck 2019 (https://arxiv.org/abs/1905.03375): ``P = (X'X + λ I)^-1``,
      ``B = I - P / diag(P)``; X says which items are in which sequence.
    * SLIT and SLIST, Choi et al., WWW 2021 (https://arxiv.org/abs/2103.16104):
      ``B = (a X'X + (1 - a) S'S + λ I)^-1 (a X'X + (1 - a) S'T)``; S weighs what came
      before a point of a sequence, T what came after, by ``e^(-steps / span)``. With
      a = 0 it is SLIT.
    """

    family: str
    name: str
    table: Float32 = field(repr=False)
    """B, shape ``(N, N)``."""

    span: float | None = None
    """Steps in which an item of a context comes to count 1 / e; None counts all 1."""

    def scores(self, windows: Windows) -> Float32:
        """Score the whole catalogue after each context; shape ``(Q, N)``."""
        lags = np.arange(windows.width)
        weights = np.ones(len(lags)) if self.span is None else np.exp(-lags / self.span)
        asked = by_lag(windows, weights, len(self.table))
        found: Float32 = np.asarray(asked.astype(np.float32) @ self.table)
        return found


def fit_regressions(corpus: Corpus, train: Int64) -> list[ItemRegression]:
    """Solve for all settings on the training sequences; none above `MAX_ITEMS`."""
    size = len(corpus.vectors)
    if size > MAX_ITEMS:
        return []
    rows, sequence = events_of(corpus, train)
    is_in = csr_array(
        coo_array((np.ones(len(rows)), (sequence, rows)), shape=(len(train), size))
    )
    is_in.data[:] = 1.0
    together: Float64 = (is_in.T @ is_in).toarray()
    fitted = []
    for penalty in _PENALTIES:
        inverse = np.linalg.inv(together + penalty * np.eye(size))
        table = np.eye(size) - inverse / np.diag(inverse)
        np.fill_diagonal(table, 0.0)
        for span in (None, *_SPANS):
            told = f"{penalty:g}" if span is None else f"{penalty:g}, span {span:g}"
            fitted.append(
                ItemRegression("EASE", f"EASE({told})", table.astype(np.float32), span)
            )
    for span in _SPANS:
        past, future = _around(rows, sequence, span, size)
        gram, moment = (past.T @ past).toarray(), (past.T @ future).toarray()
        for share in _SHARES:
            left = share * together + (1 - share) * gram
            right = share * together + (1 - share) * moment
            for penalty in _PENALTIES:
                table = np.linalg.solve(left + penalty * np.eye(size), right)
                family = "SLIST" if share else "SLIT"
                told = f"{penalty:g}, span {span:g}"
                name = f"{family}({f'{share:g}, ' if share else ''}{told})"
                fitted.append(
                    ItemRegression(family, name, table.astype(np.float32), span)
                )
    return fitted


def _around(
    rows: Int64, sequence: Int64, span: float, size: int
) -> tuple[csr_array, csr_array]:
    """Weigh what came before and after every event but the last of a sequence.

    Returns:
        S, the event itself with weight 1 and what came before it, and T, what came
        after it, the next with weight 1; both sparse, shape ``(E, N)``.
    """
    most = min(_MOST_LAGS, int(4 * span))
    number = np.arange(len(rows))
    has_next = np.append(sequence[:-1] == sequence[1:], np.array([False]))
    sides = []
    for steps in (-np.arange(most), 1 + np.arange(most)):
        points, items, weights = [], [], []
        for step in steps.tolist():
            other = number + step
            inside = has_next & (other >= 0) & (other < len(rows))
            inside[inside] = sequence[other[inside]] == sequence[inside]
            points.append(number[inside])
            items.append(rows[other[inside]])
            age = -step if step <= 0 else step - 1
            weights.append(np.full(int(inside.sum()), np.exp(-age / span)))
        entries = (np.concatenate(points), np.concatenate(items))
        side = coo_array((np.concatenate(weights), entries), shape=(len(rows), size))
        sides.append(csr_array(side))
    return sides[0], sides[1]
