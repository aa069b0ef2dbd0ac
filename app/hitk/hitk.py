"""`GET /metrics/hitk`: the live bundle validated again, once for all who ask."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
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

log = logging.getLogger(__name__)

T = TypeVar("T")

_PREDICTIONS: Final = "predictions"

_MAX_ENCODED: Final = 16
# Answers of a few KiB each that are kept: more combinations than people ask for. A
# refresh makes all of them anew before it ends.

_AGELESS: Final = b'{"age_s":0.0,"is_refreshing":false,'
# What every encoded report begins with: the fields that change from one moment to the
# next, and for which it must not be encoded again.


class ReplacedError(NotReadyError):
    """The bundle is let go before it was measured; another one is live."""


@dataclass(frozen=True, slots=True)
class EncodedReport:
    """A report as JSON, kept until it is measured anew."""

    body: bytes
    digest: str
    """Of all but its age."""

    ended: float
    """When what it tells was measured, in Unix time."""

    pools: tuple[PoolName, ...]
    ks: tuple[int, ...]

    def aged(self, age_s: float, *, is_refreshing: bool) -> bytes:
        """Return it as JSON with its age, in seconds."""
        told = {"age_s": round(age_s, 3), "is_refreshing": is_refreshing}
        return orjson.dumps(told)[:-1] + b"," + self.body[len(_AGELESS) :]


@dataclass(frozen=True, slots=True)
class _Measured:
    """Something measured, when that was done, and how long it took."""

    value: Any
    ended: float
    duration_s: float
    figures: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)
    """What was made of the value so far; gone when it is measured anew."""


@dataclass(slots=True)
class _Run:
    """A run that is under way."""

    task: asyncio.Task[None]
    pools: frozenset[PoolName]
    is_anew: bool


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
        self._kept: Mapping[str, _Measured] = {}
        self._encoded: dict[tuple[PoolName | int, ...], EncodedReport] = {}
        self._encoding: dict[Hashable, asyncio.Task[EncodedReport]] = {}
        self._run: _Run | None = None
        self._is_shown = False
        self._ended: NotReadyError | None = None
        self.num_runs = 0
        """Measurements started so far: predictions, and each pool."""

    @property
    def pools(self) -> list[PoolName]:
        """The pools this bundle can be measured in."""
        return [pool.name for pool in self._bundle.suite.pools]

    @property
    def is_refreshing(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    async def encoded(
        self, pools: Sequence[PoolName], ks: Sequence[int], *, refresh: bool = False
    ) -> EncodedReport:
        """Return what was measured last, or measure what has not been.

        Encoded once for all who ask: a client that asks again and again would else
        keep the event loop from the predictions, whose p99 was 3.7 times its idle
        value. While a run measures anew, what it will replace is what is answered.

        Args:
            pools: names of pools this bundle has.
            ks: cut-offs, each at least 1.
            refresh: wait for a run that measures anew, one that is under way or one
                begun now.

        Raises:
            NotReadyError: the run was stopped.
        """
        key = (*pools, *ks)
        if refresh:
            await self._measured(frozenset(pools), is_anew=True)
        if key in self._encoded:
            return self._encoded[key]
        await self._measured(frozenset(pools))
        kept = self._kept
        # of what is measured now: one that began before a run ended is of older figures
        made = (key, *(id(kept[name]) for name in (_PREDICTIONS, *pools)))

        async def encode() -> EncodedReport:
            report = await self._encode(kept, pools, ks)
            if self._kept is kept:
                self._keep(key, report)
            return report

        task = _once(self._encoding, made, encode)
        task.add_done_callback(lambda _: self._encoding.pop(made, None))
        return await self._joined(task)

    def show(self, *, is_shown: bool = True) -> None:
        """Let Prometheus have the figures of this bundle, or keep them from it."""
        self._is_shown = is_shown
        self._publish()

    def end(self, error: NotReadyError) -> None:
        """Stop what runs, at once: whoever waits gets the error, as all do after it.

        What was measured is still told.
        """
        self._ended = error
        tasks: list[asyncio.Task[Any]] = [*self._encoding.values()]
        if self._run is not None:
            tasks.append(self._run.task)
        for task in tasks:
            task.cancel()

    async def _measured(
        self, pools: frozenset[PoolName], *, is_anew: bool = False
    ) -> None:
        """Wait until pools are measured, or measured anew; one run at a time."""
        while is_anew or not pools <= set(self._kept):
            run = self._run
            if run is None:
                if self._ended is not None:
                    raise self._error(self._ended)
                run = self._begin(pools, is_anew=is_anew)
            await self._joined(run.task)
            if is_anew and run.is_anew and pools <= run.pools:
                return

    def _begin(self, pools: frozenset[PoolName], *, is_anew: bool) -> _Run:
        in_order = [name for name in self.pools if name in pools]
        task = asyncio.create_task(self._all(in_order, is_anew=is_anew))
        self._run = _Run(task, pools, is_anew)
        task.add_done_callback(self._over)
        return self._run

    def _over(self, task: asyncio.Task[None]) -> None:
        self._run = None
        if not task.cancelled() and task.exception() is not None:
            log.error(
                "validation failed",
                extra={"reason": type(task.exception()).__name__},
            )

    async def _joined(self, task: asyncio.Task[T]) -> T:
        """Wait for work that others wait for, too, and that goes on without them."""
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._ended is not None:
                raise self._error(self._ended) from None
            raise

    def _error(self, error: NotReadyError) -> NotReadyError:
        # a new one each: an exception keeps the frames it was raised through
        return type(error)(*error.args)

    async def _all(self, pools: Sequence[PoolName], *, is_anew: bool) -> None:
        """Measure; what is kept changes when all of it is there, and not before."""
        kept = {} if is_anew else dict(self._kept)
        if _PREDICTIONS not in kept:
            kept[_PREDICTIONS] = await self._measure(
                _PREDICTIONS, self._validator.predictions()
            )
        prediction = kept[_PREDICTIONS].value
        for name in pools:
            if name not in kept:
                steps = self._validator.measure(name, prediction)
                kept[name] = await self._measure(name, steps)
        kept = {**self._kept, **kept}
        reports = {
            key: await self._encode(kept, old.pools, old.ks)
            for key, old in list(self._encoded.items())
            if set(old.pools) & set(pools)
        }
        self._kept = kept
        # what was encoded meanwhile is of older figures, and what was let go stays away
        self._encoded = {
            key: reports.get(key, old)
            for key, old in self._encoded.items()
            if key in reports or not set(old.pools) & set(pools)
        }
        self._publish()

    async def _encode(
        self,
        kept: Mapping[str, _Measured],
        pools: Sequence[PoolName],
        ks: Sequence[int],
    ) -> EncodedReport:
        report = await self._report(kept, pools, ks)
        body = orjson.dumps(report)
        digest = hashlib.sha256(body).hexdigest()[:32]
        ended = report.measured_at.timestamp()
        return EncodedReport(body, digest, ended, tuple(pools), tuple(ks))

    def _keep(self, key: tuple[PoolName | int, ...], report: EncodedReport) -> None:
        if len(self._encoded) >= _MAX_ENCODED:
            # the one that was first asked for
            del self._encoded[next(iter(self._encoded))]
        self._encoded[key] = report

    async def _report(
        self,
        kept: Mapping[str, _Measured],
        pools: Sequence[PoolName],
        ks: Sequence[int],
    ) -> HitkReport:
        predicted, measured = kept[_PREDICTIONS], [kept[name] for name in pools]
        mean_cosine = await self._figure(
            predicted, "mean_cosine", self._validator.mean_cosine(predicted.value)
        )
        results = [await self._pool_report(m, ks) for m in measured]
        ended = max(m.ended for m in (predicted, *measured))
        manifest, suite = self._bundle.manifest, self._bundle.suite
        return HitkReport(
            age_s=0.0,
            is_refreshing=False,
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

    async def _figure(self, of: _Measured, key: Hashable, steps: Steps[T]) -> T:
        """Return a figure of something measured, computed when first asked for."""

        async def compute() -> T:
            return await self._batcher.background(steps)

        return await asyncio.shield(_once(of.figures, key, compute))

    async def _measure(self, name: str, steps: Steps[Any]) -> _Measured:
        self.num_runs += 1
        began = time.perf_counter()
        value = await self._batcher.background(steps)
        measured = _Measured(value, time.time(), time.perf_counter() - began)
        log.info(
            "validation measured",
            extra={"what": name, "duration_s": round(measured.duration_s, 3)},
        )
        return measured

    def _publish(self) -> None:
        pools = [self._kept[name] for name in self.pools if name in self._kept]
        if not self._is_shown or not pools:
            return
        for measured in pools:
            ranks: PoolRanks = measured.value
            told = (("exact", ranks.exact), ("index", ranks.through_index))
            for through, rank_Q in told:
                for k in KS:
                    gauge = self._metrics.hitk.labels(ranks.pool.name, str(k), through)
                    gauge.set(hit_at_k(rank_Q, k))
        self._metrics.hitk_timestamp.set(max(m.ended for m in pools))

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


def _once(
    tasks: dict[Hashable, asyncio.Task[T]],
    key: Hashable,
    run: Callable[[], Coroutine[Any, Any, T]],
) -> asyncio.Task[T]:
    """Return the task of that key, begun if there is none; gone if it fails."""
    task = tasks.get(key)
    if task is None:
        task = tasks[key] = asyncio.create_task(run())

        def settle(done: asyncio.Task[T]) -> None:
            # the next to ask tries again
            if (done.cancelled() or done.exception()) and tasks.get(key) is done:
                del tasks[key]

        task.add_done_callback(settle)
    return task


def _recorded_pool(evaluation: dict[str, Any], name: PoolName) -> dict[str, Any] | None:
    pools: list[dict[str, Any]] = evaluation.get("pools") or []
    return next((pool for pool in pools if pool.get("pool") == name), None)
