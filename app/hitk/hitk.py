"""`GET /metrics/hitk`: the live bundle validated again, once for all who ask."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.errors import NotReadyError
from nextvec.app.hitk.estimates import hits_at, overall
from nextvec.app.hitk.report import (
    BaselineHits,
    Estimate,
    HitkPool,
    HitkReport,
    Hits,
    IndexHits,
    Lift,
    Recorded,
)
from nextvec.app.hitk.validator import PoolRanks, Validator
from nextvec.app.inference.batcher import Batcher
from nextvec.app.metrics import Metrics
from nextvec.app.steps import Steps
from nextvec.training.evaluation.evaluation import KS
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.models.prediction import Prediction

log = logging.getLogger(__name__)

T = TypeVar("T")

_PREDICTIONS: Final = "predictions"

_STOPPING: Final = "the service is shutting down"

_MAX_ENCODED: Final = 64
# Answers of a few KiB each that are kept: more combinations than people ask for.


@dataclass(frozen=True, slots=True)
class _Measured:
    """Something measured, when that was done, and how long it took."""

    value: Any
    ended: float
    duration_s: float
    figures: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)
    """What was made of the value so far; gone when it is measured anew."""


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
        self._tasks: dict[Hashable, asyncio.Task[_Measured]] = {}
        self._encoded: dict[
            tuple[PoolName | int, ...],
            tuple[list[asyncio.Task[_Measured] | None], bytes, str],
        ] = {}
        self._is_stopped = False
        self.num_runs = 0
        """Measurements started so far: predictions, and each pool."""

    def stop(self) -> None:
        """Give up what is being measured: who waits for it gets NotReadyError."""
        self._is_stopped = True
        measured = [
            task.result()
            for task in self._tasks.values()
            if task.done() and not task.cancelled() and task.exception() is None
        ]
        figures = [task for one in measured for task in one.figures.values()]
        for task in (*self._tasks.values(), *figures):
            task.cancel()

    @property
    def pools(self) -> list[PoolName]:
        """The pools this bundle can be measured in."""
        return [pool.name for pool in self._bundle.suite.pools]

    async def encoded(
        self, pools: Sequence[PoolName], ks: Sequence[int], *, refresh: bool = False
    ) -> tuple[bytes, str]:
        """Return `report` as JSON, with its digest; encoded once for all who ask.

        A client that asks again and again would else keep the event loop from the
        predictions: their p99 was 3.7 times its idle value.
        """
        names = (_PREDICTIONS, *pools)
        key = (*pools, *ks)
        kept = self._encoded.get(key)
        # what was measured anew since then is another task
        if kept is None or refresh or kept[0] != [self._tasks.get(n) for n in names]:
            body = orjson.dumps(await self.report(pools, ks, refresh=refresh))
            if len(self._encoded) >= _MAX_ENCODED:
                self._encoded.clear()
            digest = hashlib.sha256(body).hexdigest()[:32]
            kept = ([self._tasks.get(n) for n in names], body, digest)
            self._encoded[key] = kept
        return kept[1], kept[2]

    async def report(
        self, pools: Sequence[PoolName], ks: Sequence[int], *, refresh: bool = False
    ) -> HitkReport:
        """Measure what has not been measured yet, and report it.

        Args:
            pools: names of pools this bundle has.
            ks: cut-offs, each at least 1.
            refresh: measure again what is finished; what is running is waited for.
        """
        if refresh:
            for name in (_PREDICTIONS, *pools):
                if name in self._tasks and self._tasks[name].done():
                    del self._tasks[name]
        predicted = await self._measurement(_PREDICTIONS, self._validator.predictions)
        prediction: Prediction = predicted.value
        measured = [await self._pool(name, prediction) for name in pools]
        mean_cosine = await self._figure(
            predicted, "mean_cosine", self._validator.mean_cosine(prediction)
        )
        results = [await self._pool_report(m, ks) for m in measured]
        ended = max(m.ended for m in (predicted, *measured))
        manifest, suite = self._bundle.manifest, self._bundle.suite
        return HitkReport(
            bundle=manifest.version,
            model_version=manifest.model_version,
            index_version=manifest.index_version,
            index_kind=manifest.index_kind,
            corpus=manifest.corpus_name,
            part=suite.part,
            num_windows=len(suite.windows),
            num_leaked=suite.num_leaked,
            is_clean=suite.is_clean,
            stride=suite.stride,
            context_excluded=suite.excludes_context,
            k=suite.k,
            num_unseen=suite.num_unseen,
            mean_cosine=mean_cosine,
            recorded_mean_cosine=self._recorded("evaluation").get("mean_cosine"),
            pools=results,
            readiness=self._bundle.card.get("readiness"),
            measured_at=datetime.fromtimestamp(ended, UTC),
            duration_s=round(sum(m.duration_s for m in (predicted, *measured)), 3),
        )

    async def _pool(self, name: PoolName, prediction: Prediction) -> _Measured:
        return await self._measurement(
            name, lambda: self._validator.measure(name, prediction)
        )

    async def _measurement(
        self, name: str, steps: Callable[[], Steps[Any]]
    ) -> _Measured:
        return await _once(self._tasks, name, lambda: self._measure(name, steps()))

    async def _figure(self, of: _Measured, key: Hashable, steps: Steps[T]) -> T:
        """Return a figure of something measured, computed when first asked for."""

        async def compute() -> T:
            self._check()
            return await self._batcher.background(steps)

        return await _once(of.figures, key, compute)

    async def _measure(self, name: str, steps: Steps[Any]) -> _Measured:
        self._check()
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

    def _check(self) -> None:
        if self._is_stopped:
            raise NotReadyError(_STOPPING)

    def _publish(self, ranks: PoolRanks, ended: float) -> None:
        for through, rank_Q in (("exact", ranks.exact), ("index", ranks.through_index)):
            for k in KS:
                gauge = self._metrics.hitk.labels(ranks.pool.name, str(k), through)
                gauge.set(hit_at_k(rank_Q, k))
        self._metrics.hitk_timestamp.set(ended)

    async def _pool_report(self, measured: _Measured, ks: Sequence[int]) -> HitkPool:
        ranks: PoolRanks = measured.value
        name, suite = ranks.pool.name, self._bundle.suite
        document_Q = suite.windows.documents
        validation = _recorded_pool(self._recorded("evaluation"), name)
        test = _recorded_pool(self._recorded("test_evaluation"), name)
        whole = await self._figure(measured, "overall", overall(ranks, suite))
        hits = {
            str(k): await self._figure(measured, k, hits_at(ranks, document_Q, k))
            for k in ks
        }
        baseline = None
        if ranks.baseline is not None:
            baseline = BaselineHits(
                name=(validation or {}).get("baseline"),
                hit_at={
                    k: hit.baseline
                    for k, hit in hits.items()
                    if hit.baseline is not None
                },
            )
        return HitkPool(
            pool=name,
            num_candidates=ranks.pool.size,
            num_windows=len(ranks.exact),
            exact=Hits(
                hit_at={k: Estimate(**asdict(hit.exact)) for k, hit in hits.items()},
                mrr_at_10=whole.exact_mrr_at_10,
            ),
            index=IndexHits(
                hit_at={k: Estimate(**asdict(hit.index)) for k, hit in hits.items()},
                mrr_at_10=whole.index_mrr_at_10,
                hit_context_included=whole.hit_context_included,
            ),
            baseline=baseline,
            lift=None if whole.lift is None else Lift(k=suite.k, **asdict(whole.lift)),
            recorded=Recorded(validation=validation, test=test),
        )

    def _recorded(self, key: str) -> dict[str, Any]:
        return self._bundle.card.get(key) or {}


async def _once(
    tasks: dict[Hashable, asyncio.Task[T]],
    key: Hashable,
    run: Callable[[], Coroutine[Any, Any, T]],
) -> T:
    """Join the task of that key, or start it; it outlives whoever waits for it."""
    task = tasks.get(key)
    if task is None:
        task = tasks[key] = asyncio.create_task(run())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as error:
        # the task was, and not whoever waits for it
        if task.cancelled():
            raise NotReadyError(_STOPPING) from error
        raise
    except Exception:
        # the next to ask tries again
        if tasks.get(key) is task:
            del tasks[key]
        raise


def _recorded_pool(evaluation: dict[str, Any], name: PoolName) -> dict[str, Any] | None:
    pools: list[dict[str, Any]] = evaluation.get("pools") or []
    return next((pool for pool in pools if pool.get("pool") == name), None)
