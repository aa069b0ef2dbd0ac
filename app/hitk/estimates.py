"""Figures of a pool's ranks, computed in steps of one bootstrap each.

A bootstrap takes milliseconds, which is as long as a request may have to wait.
"""

from dataclasses import dataclass

from nextvec.app.hitk.validator import PoolRanks
from nextvec.app.steps import Steps
from nextvec.training.evaluation.evaluation import pool_result
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.statistics import Estimate
from nextvec.training.evaluation.suite import Suite
from nextvec.training.vectors import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class HitsAtK:
    """Shares of hits at one cut-off, fractions in [0, 1]."""

    exact: Estimate
    index: Estimate
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """Figures of a pool that no cut-off is chosen for."""

    exact_mrr_at_10: float
    index_mrr_at_10: float
    lift: Estimate | None
    """Hit@K of the headline less that of the baseline."""

    hit_context_included: float | None
    """Not made for "targets", nor where the context is among the candidates."""


def hits_at(ranks: PoolRanks, document_Q: Int64, k: int) -> Steps[HitsAtK]:
    """Estimate the share of hits at one cut-off."""
    exact = pool_result(ranks.pool, ranks.exact, document_Q, k=k, ks=(k,))
    yield
    index = pool_result(ranks.pool, ranks.through_index, document_Q, k=k, ks=(k,))
    return HitsAtK(
        exact=exact.hit_at[k],
        index=index.hit_at[k],
        baseline=None if ranks.baseline is None else hit_at_k(ranks.baseline, k),
    )


def overall(ranks: PoolRanks, suite: Suite) -> Steps[Overall]:
    """Compute everything that does not depend on the cut-offs asked for."""
    document_Q, k = suite.windows.documents, suite.k
    exact = pool_result(
        ranks.pool,
        ranks.exact,
        document_Q,
        k=k,
        baseline_rank_Q=ranks.baseline,
        ks=(),
    )
    yield
    index = pool_result(ranks.pool, ranks.through_index, document_Q, k=k, ks=())
    included = None
    if ranks.pool.name != "targets" and suite.excludes_context:
        included = hit_at_k(ranks.with_context, k)
    return Overall(
        exact_mrr_at_10=exact.mrr_at_10,
        index_mrr_at_10=index.mrr_at_10,
        lift=exact.lift,
        hit_context_included=included,
    )
