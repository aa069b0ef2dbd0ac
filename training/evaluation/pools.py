"""The candidates of an evaluation: three pools (evaluation protocol, rule 4)."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.vectors import Int64

PoolName = Literal["targets", "documents", "index"]
POOLS: Final[tuple[PoolName, ...]] = get_args(PoolName)

TARGETS_POOL_SIZE: Final = 1148
"""N of the pool "targets", always: that of the original project, so that its
thresholds mean the same on every corpus."""

MIN_TARGET_DISTANCE: Final = 50
"""Passages between a target and another target of its document in that pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Which rows of the catalogue compete for the rank of a target."""

    name: PoolName
    """targets (P1), documents (P2) or index (P3)."""

    rows: Int64
    """Every row that is a candidate of some query, ascending; shape ``(C,)``."""

    members: Int64 | None = None
    """Candidates of each query as places in ``rows``, shape ``(Q, N)``; None if all
    rows are candidates of every query."""

    @property
    def size(self) -> int:
        """Candidates of a query, N, before those of its context are taken out."""
        return len(self.rows) if self.members is None else self.members.shape[1]


def documents_pool(corpus: Corpus, documents: Int64) -> Pool:
    """Return P2: every passage of the part's documents."""
    return Pool(name="documents", rows=corpus.rows_of(documents))


def index_pool(corpus: Corpus) -> Pool:
    """Return P3: everything in the catalogue, as the service searches it."""
    return Pool(name="index", rows=np.arange(len(corpus.vectors)))


def targets_pool(
    corpus: Corpus,
    windows: Windows,
    documents: Int64,
    *,
    size: int = TARGETS_POOL_SIZE,
    seed: int = 0,
) -> Pool | None:
    """Return P1: the target, far targets, and passages of other documents.

    Passages come from the part's own documents first; only if these are too few, from
    the rest of the corpus (a model trained to turn away from those has it easier).

    Args:
        corpus: the whole corpus.
        windows: whose targets these are; shape Q.
        documents: numbers of the part's documents.
        size: candidates of each query, N.
        seed: seed of the draws.

    Returns:
        A pool of exactly ``size`` candidates for each query, none of them in the
        query's context; None if the corpus has too few passages for that.
    """
    rng = np.random.default_rng(seed)
    targets = np.unique(windows.target_rows)
    if len(targets) > size - 1:
        targets = rng.choice(targets, size - 1, replace=False)
    filler = rng.permutation(documents_pool(corpus, documents).rows)
    rest = rng.permutation(np.setdiff1d(np.arange(len(corpus.vectors)), filler))
    # twice what is needed: a query loses what is in its own document
    filler = np.concatenate([np.setdiff1d(filler, targets, assume_unique=True), rest])
    document_N, position_N = corpus.document_of_row, corpus.position_of_row
    members_QN = np.empty((len(windows), size), dtype=np.int64)
    for query in range(len(windows)):
        own, document = windows.target_rows[query], windows.documents[query]
        near = (document_N[targets] == document) & (
            np.abs(position_N[targets] - windows.positions[query]) < MIN_TARGET_DISTANCE
        )
        far = targets[~near & (targets != own)]
        far = far[~np.isin(far, windows.context_rows[query])]
        needed = size - 1 - len(far)
        others = _first_outside(filler, document_N, int(document), needed)
        if len(others) < needed:
            return None
        members_QN[query] = np.concatenate([[own], far, others])
    rows, places = np.unique(members_QN, return_inverse=True)
    return Pool(name="targets", rows=rows, members=places.reshape(members_QN.shape))


def _first_outside(rows: Int64, document_N: Int64, document: int, needed: int) -> Int64:
    """Return the first ``needed`` rows that are not of this document."""
    taken = needed
    while True:
        head = rows[:taken]
        found = head[document_N[head] != document]
        if len(found) >= needed or taken >= len(rows):
            return np.asarray(found[:needed])
        taken = max(2 * taken, 16)
