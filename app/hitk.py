"""`GET /metrics/hitk`: the live bundle validated again, once for all who ask."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.batcher import Batcher, Steps
from app.bundle import Bundle
from app.metrics import Metrics
from app.validation import PoolRanks, Validator
from training.evaluation.evaluation import KS, SELECTION_K, PoolResult, pool_result
from training.evaluation.metrics import hit_at_k
from training.evaluation.pools import PoolName
from training.vectors import Float32

log = logging.getLogger(__name__)

_PREDICTIONS: Final = "predictions"


@dataclass(frozen=True, slots=True)
class _Measured:
    """Something measured, when that was done, and how long it took."""

    value: Any
    ended: float
    duration_s: float


class Hitk:
    """Runs the validation of one bundle, and keeps what it found."""

    def __init__(
        self,
        bundle: Bundle,
        validator: Validator,
        batcher: Batcher[Any, Any],
        metrics: Metrics,
    ) -> None:
        """Set it up; nothing runs before the first question."""
        self._bundle, self._validator = bundle, validator
        self._batcher, self._metrics = batcher, metrics
        self._tasks: dict[str, asyncio.Task[_Measured]] = {}
        self.num_runs = 0
        """Measurements started so far: predictions, and each pool."""

    @property
    def pools(self) -> list[PoolName]:
        """The pools this bundle can be measured in."""
        return [pool.name for pool in self._bundle.suite.pools]

    async def report(
        self, pools: Sequence[PoolName], ks: Sequence[int], *, refresh: bool = False
    ) -> dict[str, Any]:
        """Measure what has not been measured yet, and report it.

        Args:
            pools: names of pools this bundle has.
            ks: cut-offs, each at least 1.
            refresh: measure again what is finished; what is running is waited for.

        Returns:
            Plain JSON types; `docs/api.md` lists the fields.
        """
        if refresh:
            for name in (_PREDICTIONS, *pools):
                if name in self._tasks and self._tasks[name].done():
                    del self._tasks[name]
        predicted = await self._once(_PREDICTIONS, self._validator.predictions)
        prediction_QD: Float32 = predicted.value
        measured = [await self._pool(name, prediction_QD) for name in pools]
        # thousands of resamplings, kept off the event loop
        results, mean_cosine = await asyncio.to_thread(
            lambda: (
                [self._pool_report(m.value, ks) for m in measured],
                self._validator.mean_cosine(prediction_QD),
            )
        )
        ended = max(m.ended for m in (predicted, *measured))
        manifest, suite = self._bundle.manifest, self._bundle.suite
        return {
            "bundle": manifest.version,
            "model_version": manifest.model_version,
            "index_version": manifest.index_version,
            "index_kind": manifest.index_kind,
            "corpus": manifest.corpus_name,
            "part": suite.part,
            "num_windows": len(suite.windows),
            "num_leaked": suite.num_leaked,
            "is_clean": suite.is_clean,
            "stride": suite.stride,
            "context_excluded": True,
            "mean_cosine": mean_cosine,
            "recorded_mean_cosine": self._recorded("evaluation").get("mean_cosine"),
            "pools": results,
            "readiness": self._bundle.card.get("readiness"),
            "measured_at": datetime.fromtimestamp(ended, UTC).isoformat(),
            "duration_s": round(sum(m.duration_s for m in (predicted, *measured)), 3),
        }

    async def _pool(self, name: PoolName, prediction_QD: Float32) -> _Measured:
        return await self._once(
            name, lambda: self._validator.measure(name, prediction_QD)
        )

    async def _once(self, name: str, steps: Callable[[], Steps[Any]]) -> _Measured:
        """Join the run of that name, or start it; it outlives whoever waits for it."""
        task = self._tasks.get(name)
        if task is None:
            task = asyncio.create_task(self._measure(name, steps()))
            self._tasks[name] = task
        try:
            return await asyncio.shield(task)
        except Exception:
            # the next to ask tries again
            if self._tasks.get(name) is task:
                del self._tasks[name]
            raise

    async def _measure(self, name: str, steps: Steps[Any]) -> _Measured:
        self.num_runs += 1
        began = time.perf_counter()
        value = await self._batcher.background(steps)
        measured = _Measured(value, time.time(), time.perf_counter() - began)
        log.info(
            "validation measured",
            extra={"what": name, "duration_s": round(measured.duration_s, 3)},
        )
        if isinstance(value, PoolRanks):
            self._publish(value, measured.ended)
        return measured

    def _publish(self, ranks: PoolRanks, ended: float) -> None:
        for through, rank_Q in (("exact", ranks.exact), ("index", ranks.through_index)):
            for k in KS:
                gauge = self._metrics.hitk.labels(ranks.pool.name, str(k), through)
                gauge.set(hit_at_k(rank_Q, k))
        self._metrics.hitk_timestamp.set(ended)

    def _pool_report(self, ranks: PoolRanks, ks: Sequence[int]) -> dict[str, Any]:
        name = ranks.pool.name
        recorded = {
            part: _recorded_pool(self._recorded(key), name)
            for part, key in (
                ("validation", "evaluation"),
                ("test", "test_evaluation"),
            )
        }
        document_Q = self._bundle.suite.windows.documents
        exact = pool_result(
            ranks.pool,
            ranks.exact,
            document_Q,
            baseline=(recorded["validation"] or {}).get("baseline"),
            baseline_rank_Q=ranks.baseline,
            ks=ks,
        )
        found = pool_result(
            ranks.pool,
            ranks.through_index,
            document_Q,
            with_context=_with_context(ranks),
            ks=ks,
        )
        return {
            "pool": name,
            "num_candidates": exact.num_candidates,
            "num_windows": exact.num_windows,
            "exact": _figures(exact),
            "index": _figures(found)
            | {"hit_at_5_context_included": found.hit_at_5_context_included},
            "baseline": None
            if exact.baseline_hit_at is None
            else {"name": exact.baseline, "hit_at": _by_k(exact.baseline_hit_at)},
            "lift": None
            if exact.lift is None
            else {"k": SELECTION_K, **asdict(exact.lift)},
            "recorded": recorded,
        }

    def _recorded(self, key: str) -> dict[str, Any]:
        return self._bundle.card.get(key) or {}


def _recorded_pool(evaluation: dict[str, Any], name: PoolName) -> dict[str, Any] | None:
    pools: list[dict[str, Any]] = evaluation.get("pools") or []
    return next((pool for pool in pools if pool.get("pool") == name), None)


def _with_context(ranks: PoolRanks) -> float | None:
    if ranks.pool.name == "targets":
        return None
    return hit_at_k(ranks.with_context, SELECTION_K)


def _figures(result: PoolResult) -> dict[str, Any]:
    estimates = {k: asdict(estimate) for k, estimate in result.hit_at.items()}
    return {"hit_at": _by_k(estimates), "mrr_at_10": result.mrr_at_10}


def _by_k(values: dict[int, Any]) -> dict[str, Any]:
    return {str(k): value for k, value in values.items()}
