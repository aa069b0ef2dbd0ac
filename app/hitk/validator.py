"""Measuring a bundle on its validation windows, in steps short enough to live with.

Runs in the inference thread only (`nextvec.app.inference.batcher`).
"""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from nextvec.app.bundle.index import Found
from nextvec.app.bundle.ranking import ranker_of
from nextvec.app.bundle.searcher import Selection
from nextvec.app.inference.engine import Engine
from nextvec.training.evaluation.pools import Pool, PoolName
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Int64

T = TypeVar("T")

_MOST_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRanks:
    """Rank of every target in one pool, 1 is best; each of shape ``(Q,)``."""

    pool: Pool
    exact: Int64
    """By comparing with every candidate (`Ranker`)."""

    through_index: Int64
    """By searching the index; beyond the depth searched, that depth plus 2."""

    with_context: Int64
    """The same with the vectors of the context as candidates."""

    baseline: Int64 | None
    """Of the pool's best baseline, as the run recorded it; None if it did not."""


class Validator:
    """Ranks the validation targets of one bundle."""

    def __init__(self, engine: Engine, *, step_s: float, depth: int) -> None:
        """Prepare the candidates of every pool.

        Args:
            engine: what is measured.
            step_s: how long a step should take, in seconds.
            depth: largest cut-off that will be asked for, in ranks.
        """
        bundle = engine.bundle
        self._engine, self._step_s, self._depth = engine, step_s, depth
        self._windows = bundle.suite.windows
        self._betas = bundle.manifest.betas
        # then nothing is copied either
        self._is_plain = not self._betas
        self._rankers = {
            pool.name: ranker_of(bundle, self._windows, pool.name)
            for pool in bundle.suite.pools
        }
        self._by_group = np.argsort(bundle.groups, kind="stable")
        self._sorted_groups = bundle.groups[self._by_group]

    def predictions(self) -> Generator[None, None, Prediction]:
        """Predict after every window, a few at a time."""
        vectors, windows = self._engine.bundle.index.vectors, self._windows

        def predict(part: slice) -> Prediction:
            return self._engine.predict([vectors[r] for r in windows.known(part)])

        parts = yield from steps(len(windows), self._step_s, predict)
        joined = Prediction.joined(parts)
        return joined if self._is_plain else joined.at(windows.context_rows)

    def mean_cosine(self, prediction: Prediction) -> Generator[None, None, float]:
        """Return the mean cosine between predictions and targets, in one step."""
        yield
        has_target = self._windows.target_rows >= 0
        rows = self._windows.target_rows[has_target]
        target_QD = self._engine.bundle.index.vectors[rows]
        prediction_QD = prediction.unit().numpy()[has_target]
        cosines = np.einsum("qd,qd->q", prediction_QD, target_QD)
        return float(cosines.mean()) if len(cosines) else np.nan

    def measure(
        self, name: PoolName, prediction: Prediction
    ) -> Generator[None, None, PoolRanks]:
        """Rank every target in one pool, a few at a time."""
        ranker, pool = self._rankers[name], self._engine.bundle.suite.pool(name)
        exact = yield from self._exact(ranker, prediction)
        pairs = yield from self._through_index(pool, prediction)
        return PoolRanks(
            pool=pool,
            exact=exact,
            through_index=pairs[:, 0],
            with_context=pairs[:, 1],
            baseline=self._engine.bundle.baselines.get(name),
        )

    def _exact(
        self, ranker: Ranker, prediction: Prediction
    ) -> Generator[None, None, Int64]:
        def rank(part: slice) -> Int64:
            return ranker.ranks_of(prediction[part], part.start)

        parts = yield from steps(len(prediction), self._step_s, rank)
        return np.concatenate(parts)

    def _through_index(
        self, pool: Pool, prediction: Prediction
    ) -> Generator[None, None, Int64]:
        shared = None
        if pool.members is None and len(pool.rows) < len(self._engine.bundle.index):
            shared = self._selection(pool.rows)

        def rank(part: slice) -> Int64:
            numbers = range(part.start, part.stop)
            out = [self._left_out(number) for number in numbers]
            found = self._search(pool, shared, prediction, part, out)
            return self._pairs(numbers, found, out)

        parts = yield from steps(len(prediction), self._step_s, rank)
        return np.concatenate(parts)

    def _search(
        self,
        pool: Pool,
        shared: Selection | None,
        prediction: Prediction,
        part: slice,
        out: list[tuple[Int64, Int64]],
    ) -> list[Found]:
        """Search deep enough that what is left out afterwards cannot be missed."""
        index, beta = self._engine.bundle.index, self._betas.get(pool.name, 0.0)
        prediction_QD = prediction.vectors.numpy()
        depth = self._deep_enough(out)
        if pool.members is None:
            found = index.search(prediction_QD[part], depth, shared, beta=beta)
            if prediction.rows is None:
                return found
            rows = list(prediction.rows[part])
            copies = self._engine.copies(prediction[part], rows)
            return [
                f if c is None else c.added_to(f.rows, index, prediction_D, beta=beta)
                for f, c, prediction_D in zip(
                    found, copies, prediction_QD[part], strict=True
                )
            ]
        return [
            index.search(
                prediction_QD[number][None],
                depth,
                self._selection(pool.rows[pool.members[number]]),
                beta=beta,
            )[0]
            for number in range(part.start, part.stop)
        ]

    def _deep_enough(self, out: Sequence[tuple[Int64, Int64]]) -> int:
        # one more than the depth, so that a tie behind the target is seen as well
        return self._depth + 1 + max(len(same) + len(seen) for same, seen in out)

    def _selection(self, rows: Int64) -> Selection:
        allowed_N = np.zeros(len(self._engine.bundle.index), dtype=bool)
        allowed_N[rows] = True
        return Selection(allowed_N)

    def _left_out(self, number: int) -> tuple[Int64, Int64]:
        """Rows that do not compete: the target's duplicates, and the context."""
        target = self._windows.target_rows[number]
        context = self._windows.context_rows[number]
        context = context[context >= 0]
        if target < 0:
            return np.empty(0, dtype=np.int64), context
        group = self._engine.bundle.groups[target]
        low, high = np.searchsorted(self._sorted_groups, [group, group + 1])
        same = self._by_group[low:high]
        return same[same != target], context

    def _pairs(
        self,
        numbers: range,
        found: Sequence[Found],
        out: Sequence[tuple[Int64, Int64]],
    ) -> Int64:
        """Rank the targets of some windows as they were found, ``(Q, 2)``."""
        return np.array(
            [
                self._pair(number, hits, *left_out)
                for number, hits, left_out in zip(numbers, found, out, strict=True)
            ]
        )

    def _pair(
        self, number: int, found: Found, same: Int64, context: Int64
    ) -> tuple[int, int]:
        """Rank of the target as the protocol asks for it, and with the context."""
        included = self._rank(number, found, same)
        if not self._engine.bundle.suite.excludes_context:
            return included, included
        return self._rank(number, found, np.concatenate([same, context])), included

    def _rank(self, number: int, found: Found, left_out: Int64) -> int:
        competes = ~np.isin(found.rows, left_out)
        rows, scores = found.rows[competes], found.scores[competes]
        place = np.flatnonzero(rows == self._windows.target_rows[number])
        if len(place) == 0:
            return self._depth + 2
        return int((scores >= scores[place[0]]).sum())


def steps(
    total: int, budget_s: float, work: Callable[[slice], T]
) -> Generator[None, None, list[T]]:
    """Do work part by part, with a pause after each.

    Args:
        total: how many there are, at least 1.
        budget_s: how long a part should take at most, in seconds; parts grow and
            shrink towards it, and are never less than one.
        work: does the part from ``start`` to ``stop``.

    Returns:
        What each part returned.
    """
    results, start, size = [], 0, 1
    while start < total:
        stop = min(start + size, total)
        began = time.perf_counter()
        results.append(work(slice(start, stop)))
        took = time.perf_counter() - began
        if took < budget_s / 2:
            size = min(2 * size, _MOST_AT_ONCE)
        elif took > budget_s:
            size = max(1, size // 2)
        start = stop
        yield
    return results
