"""Differences between runs on the same windows, with intervals over documents."""

import numpy as np

from benchmarks.ablation.failures import Failure
from benchmarks.ablation.results import Result
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.statistics import Estimate, estimate
from nextvec.training.vectors import Int64


def gain(
    study: Study, failure: Failure, pool: PoolName, *, at_best: bool = False
) -> Estimate:
    """Hit@5 of the mended run less that of the broken one, paired over documents.

    Args:
        study: all runs.
        failure: names the two.
        pool: where.
        at_best: each after its own best epoch, instead of after the last.
    """
    hits = []
    for name in (failure.mended, failure.broken):
        result = study.results[name]
        epoch = result.best_epoch(pool) if at_best else -1
        hits.append(result.hits_at(pool, epoch).astype(float))
    return estimate(hits[0] - hits[1], study.data.documents)


def against_copy(study: Study, result: Result, pool: PoolName) -> Estimate:
    """Hit@5 of a run after its last epoch, less that of copy-last."""
    copied_Q = study.references["copy-last"].hits[pool]
    hit_Q = result.hits_at(pool, -1)
    return estimate(hit_Q.astype(float) - copied_Q, study.data.documents)


def against_best(study: Study, result: Result, pool: PoolName) -> Estimate:
    """Hit@5 of a run after its last epoch, less that of the pool's best baseline."""
    best_Q = study.data.best_baseline_hits(pool)
    hit_Q = result.hits_at(pool, -1)
    return estimate(hit_Q.astype(float) - best_Q, study.data.documents)


def cross_fitted_gain(result: Result, pool: PoolName, document_Q: Int64) -> Estimate:
    """What stopping at the best epoch brings, chosen and measured on other documents.

    Each half of the documents is measured after the epoch that the other half calls
    best: the best of many epochs on the very windows that chose it would look better
    than it is.

    Args:
        result: a run.
        pool: where to count hits.
        document_Q: document of each window, shape ``(Q,)``.
    """
    last_Q = result.hits_at(pool, -1).astype(float)
    stopped_Q = last_Q.copy()
    _, place_Q = np.unique(document_Q, return_inverse=True)
    for half in (0, 1):
        measured_Q = place_Q % 2 == half
        epoch = result.best_epoch(pool, ~measured_Q)
        stopped_Q[measured_Q] = result.hits_at(pool, epoch)[measured_Q]
    return estimate(stopped_Q - last_Q, document_Q)
