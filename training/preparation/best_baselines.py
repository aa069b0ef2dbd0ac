"""The best baseline of each pool, chosen on validation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from torch import Tensor

from nextvec.training.evaluation.baselines import (
    Baseline,
    ClosedFormBaseline,
    VectorBaseline,
    WeightedMean,
    remembering,
)
from nextvec.training.evaluation.bits import Probabilistic, mean_bits
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.statistics import estimate
from nextvec.training.listener import Listener
from nextvec.training.vectors import Int64

Contexts = tuple[Tensor, Tensor]
"""Vectors ``(Q, T, D)``, padded at the end, and lengths ``(Q,)``, as tensors."""


@dataclass(frozen=True, kw_only=True)
class BestBaselines:
    """Which baseline is the best of each pool, and how all that were tried did."""

    names: dict[PoolName, str]
    """Name of the best one."""

    ranks: dict[PoolName, Int64]
    """Rank it gives the target of each validation window, shape ``(Q,)``."""

    scores: dict[str, dict[PoolName, float]]
    """Validation Hit@K of every setting of every family, by pool."""

    estimates: dict[str, dict[PoolName, dict[str, float]]]
    """The same with 95 % intervals over documents: value, low and high."""

    bits: dict[str, dict[str, float]]
    """Mean bits of a validation target, with intervals, of every setting that gives
    probabilities; empty for documents."""

    plain: dict[PoolName, float]
    """Validation Hit@K of the best one of each pool where hubs are left in; only of
    those that predict a vector, and none for items, whose scores know no hubs."""

    base: ClosedFormBaseline
    """The best closed form of the selection pool: the base of the model."""

    def paired(self) -> Mapping[PoolName, tuple[str, Int64]]:
        """Return them as `Judge.evaluate` takes them."""
        return {pool: (name, self.ranks[pool]) for pool, name in self.names.items()}

    @classmethod
    def choose(
        cls,
        fitted: Sequence[Baseline],
        judge: Judge,
        contexts: Contexts,
        selection_pool: PoolName,
        listener: Listener,
    ) -> Self:
        """Measure every setting and choose.

        A memory is tried beside the best weighted mean of the selection pool alone.

        Args:
            fitted: every setting of every other family.
            judge: of the validation windows.
            contexts: of these windows.
            selection_pool: the pool that the base is chosen for.
            listener: told after each setting.
        """
        scores: dict[str, dict[PoolName, float]] = {}
        estimates: dict[str, dict[PoolName, dict[str, float]]] = {}
        bits: dict[str, dict[str, float]] = {}
        best: dict[PoolName, tuple[float, Baseline, Int64]] = {}
        k, documents = judge.suite.k, judge.suite.windows.documents

        def measure(baseline: Baseline) -> None:
            scores[baseline.name], estimates[baseline.name] = {}, {}
            for pool, rank_Q in baseline.ranks(judge, *contexts).items():
                score = hit_at_k(rank_Q, k)
                scores[baseline.name][pool] = score
                found = estimate((rank_Q <= k).astype(float), documents)
                estimates[baseline.name][pool] = asdict(found)
                if pool not in best or score > best[pool][0]:
                    best[pool] = (score, baseline, rank_Q)
            if isinstance(baseline, Probabilistic):
                surprise = mean_bits(
                    baseline,
                    judge.suite.windows,
                    judge.suite.pool("index").size,
                    excludes_context=judge.suite.excludes_context,
                )
                if surprise is not None:
                    bits[baseline.name] = asdict(surprise)

        means = [b for b in fitted if isinstance(b, WeightedMean)]
        total = len(fitted) + len(remembering(means[0]))
        for done, baseline in enumerate(fitted, start=1):
            measure(baseline)
            listener.progress(done, total)

        def score_of(baseline: Baseline) -> float:
            return scores[baseline.name][selection_pool]

        mean = max(means, key=score_of)
        memories: list[ClosedFormBaseline] = list(remembering(mean))
        for done, memory in enumerate(memories, start=len(fitted) + 1):
            measure(memory)
            listener.progress(done, total)
        return cls(
            names={pool: baseline.name for pool, (_, baseline, _) in best.items()},
            ranks={pool: rank_Q for pool, (_, _, rank_Q) in best.items()},
            scores=scores,
            estimates=estimates,
            bits=bits,
            plain={
                pool: hit_at_k(judge.rankers[pool].ranks_at(predicted, [0.0])[0], k)
                for pool, (_, baseline, _) in best.items()
                if (predicted := _predicted(baseline, judge, contexts)) is not None
            },
            # of equals the one that remembers nothing
            base=max([mean, *memories], key=score_of),
        )


def _predicted(baseline: Baseline, judge: Judge, contexts: Contexts) -> Tensor | None:
    """Predict documents by a baseline that predicts a vector; None for all others."""
    if judge.suite.kind == "items" or not isinstance(baseline, VectorBaseline):
        return None
    return baseline.predicted(*contexts)


def by_name(fitted: Sequence[Baseline]) -> dict[str, Baseline]:
    """Return all baselines that can have been chosen, those with a memory as well."""
    memories = [
        m for b in fitted if isinstance(b, WeightedMean) for m in remembering(b)
    ]
    return {baseline.name: baseline for baseline in (*fitted, *memories)}
