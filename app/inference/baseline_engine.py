"""The engine of a bundle that answers by a closed form over ids: no vector, no index.

Runs in the inference thread only (`nextvec.app.inference.batcher`).
"""

import time
from collections.abc import Sequence

import numpy as np

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.index import Found
from nextvec.app.inference.engine import Answer, Engine, Query
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline
from nextvec.training.vectors import Float32, Int64


class BaselineEngine(Engine):
    """Answers by the scores that a baseline gives all items after a context."""

    reads_rows = True

    def __init__(self, bundle: Bundle, baseline: ItemBaseline) -> None:
        """Take a loaded bundle, and what of it answers."""
        super().__init__(bundle)
        self.baseline = baseline

    @property
    def stepping(self) -> None:
        """Nothing: the scores of a context are computed from all of it."""

    def run(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer queries that carry this engine, each as if it were alone.

        Args:
            queries: each with the rows of its context; -1, an item that is not known,
                says nothing.
        """
        self.require_own(queries)
        began = time.perf_counter()
        contexts = [_rows_of(query) for query in queries]
        score_QN = self.scores(contexts)
        scored = time.perf_counter()
        found = [
            best_first(score_N, query.k, rows if query.exclude_context else rows[:0])
            for query, score_N, rows in zip(queries, score_QN, contexts, strict=True)
        ]
        ended = time.perf_counter()
        return [
            Answer(
                bundle=self.bundle,
                found=one,
                cosines=None,
                num_context=len(rows),
                vector=None,
                model_s=scored - began,
                search_s=ended - scored,
            )
            for one, rows in zip(found, contexts, strict=True)
        ]

    @property
    def name(self) -> str:
        """Name the baseline: no network is run."""
        return self.bundle.serves

    def golden_vector(self, _rows: Int64) -> Float32:
        """Return nothing: no vector is predicted."""
        return np.zeros(0, np.float32)

    def _shapes(self, _context_TD: Float32) -> list[list[Float32]]:
        """Return none: no network is run."""
        return []

    def scores(self, contexts: Sequence[Int64]) -> Float32:
        """Score the whole catalogue after each context, shape ``(Q, N)``.

        Args:
            contexts: rows of the items of each, -1 for one that is not known; at
                least one of each is.
        """
        known = [rows[rows >= 0] for rows in contexts]
        lengths = np.array([len(rows) for rows in known])
        row_QT = np.full((len(known), lengths.max()), -1, np.int64)
        for query, rows in enumerate(known):
            row_QT[query, : len(rows)] = rows
        nowhere_Q = np.full(len(known), -1, np.int64)
        windows = Windows(
            context_rows=row_QT,
            lengths=lengths,
            target_rows=nowhere_Q,
            documents=nowhere_Q,
            positions=nowhere_Q,
        )
        return self.baseline.scores(windows)


def _rows_of(query: Query) -> Int64:
    if query.rows is None:
        msg = "expected a query with the rows of its context, got vectors"
        raise ValueError(msg)
    return query.rows


def best_first(score_N: Float32, k: int, left_out: Int64) -> Found:
    """Return the ``k`` rows with the highest scores, of equal ones the first.

    Args:
        score_N: of every row, finite.
        k: results, at least 1.
        left_out: rows that are not to be found; -1 is none.
    """
    score_N = score_N.copy()
    score_N[left_out[left_out >= 0]] = -np.inf
    num_left = int(np.isfinite(score_N).sum())
    k = min(k, num_left)
    if k == 0:
        return Found(np.empty(0, np.int64), np.empty(0, np.float32))
    least = np.partition(score_N, len(score_N) - k)[len(score_N) - k]
    rows = np.flatnonzero(score_N >= least)
    rows = rows[np.argsort(-score_N[rows], kind="stable")][:k]
    return Found(rows, score_N[rows])


def engine_of(bundle: Bundle) -> Engine:
    """Return what answers from a bundle: its network, or the baseline it holds."""
    if bundle.item_baseline is not None:
        return BaselineEngine(bundle, bundle.item_baseline)
    return Engine(bundle)
