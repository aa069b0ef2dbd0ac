"""The service behind the routes: what is live, or why nothing is."""

import asyncio
import contextlib
import logging
import math
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from threadpoolctl import threadpool_limits

from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.deadline import Deadline
from nextvec.app.errors import DeadlineExceededError, NotReadyError, OverloadedError
from nextvec.app.hitk.baseline_validator import validator_of
from nextvec.app.hitk.hitk import EncodedReport, Hitk, ReplacedError
from nextvec.app.inference.batcher import Batcher
from nextvec.app.inference.encoding import Encoders, TextEncoding
from nextvec.app.inference.engine import Answer, Engine, Query
from nextvec.app.inference.golden import check_golden
from nextvec.app.inference.threads import inference_threads
from nextvec.app.metrics import Metrics
from nextvec.app.release.loader import Loader
from nextvec.app.release.refusal import IN_WORDS
from nextvec.app.release.registry import Registry
from nextvec.app.release.swapping import Swapping
from nextvec.app.sessions.session import Step
from nextvec.app.sessions.stepping import answer_all
from nextvec.app.sessions.store import SessionStore
from nextvec.app.sessions.tokens import Tokens
from nextvec.app.settings import Settings
from nextvec.app.steps import Steps, in_turns
from nextvec.app.wire.options import Limits
from nextvec.training.vectors import Float32

log = logging.getLogger(__name__)

_STEP_SHARE: Final = 0.5
# A step of a validation run takes about this share of one prediction, and less than
# one in any case, so that a request that waits for one takes less than twice as long.
# Measured at one client with 71,526 vectors: p99 57 ms, 77 ms during a run.


@dataclass(frozen=True, slots=True)
class Live:
    """What answers requests."""

    engine: Engine
    hitk: Hitk
    limits: Limits
    texts: TextEncoding


class Service:
    """Owns the threads, and the bundles that answer or wait to."""

    def __init__(self, settings: Settings) -> None:
        """Set it up; nothing is loaded before `start`."""
        self.settings = settings
        self.metrics = Metrics(self._queue_depth)
        self.batcher: Batcher[Query | Step, Answer] = Batcher(
            answer_all,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            on_batch=self.metrics.batch_done,
        )
        self.sessions = SessionStore(
            max_sessions=settings.max_sessions,
            max_bytes=settings.max_session_bytes,
            idle_s=settings.session_idle_s,
            on_gone=lambda reason: self.metrics.sessions_gone.labels(reason).inc(),
        )
        self.metrics.watch_sessions(self.sessions, lambda: self.sessions.size_bytes)
        key = settings.session_key
        self.tokens = Tokens(None if key is None else key.get_secret_value())
        self.threads = settings.threads or inference_threads()
        self.loader, self.encoders = (
            Loader(reads_all=settings.verify == "all"),
            Encoders(),
        )
        self.bundles: Swapping[Live] = Swapping(
            Registry(settings.bundles),
            self.loader,
            self.metrics,
            pinned=settings.bundle,
            keeps_previous=settings.keep_previous,
            prepare=self._prepare,
            on_swap=self._went_live,
            on_drop=_let_go,
        )
        self.is_draining = False
        """It answers yet, but will stop."""
        self._is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def live(self) -> Live:
        """What answers requests.

        Take it once for a request, when all of its body is there, and go on with that:
        what is live the next moment may be another bundle.

        Raises:
            NotReadyError: nothing does, and why, with no path and no name of a bundle.
        """
        if self._is_stopping:
            raise _stopping()
        live = self.bundles.serving
        if live is None:
            raise NotReadyError(IN_WORDS[self.bundles.code])
        return live

    async def start(self) -> None:
        """Start the thread, load, check and warm the live bundle, and follow LIVE.

        A bundle that cannot be used leaves the service up and not ready, until another
        is promoted.
        """
        self.batcher.start()
        await self.batcher.call(self._keep_threads)
        with contextlib.suppress(NotReadyError):
            # stopped before it had started
            await self.bundles.look()
        if self.settings.live_poll_s > 0:
            self._begin(self._follow())

    def drain(self) -> None:
        """Say that it is not ready, and stop validating at once; the process is to end.

        Whoever waits for a validation run gets NotReadyError; what was measured is
        still told, and predictions go on. LIVE is not followed any more.
        """
        self.is_draining = True
        self.metrics.ready.set(0)
        for task in self._tasks:
            task.cancel()
        for live in self.bundles.in_memory:
            live.hitk.end(_stopping())

    def stop(self) -> None:
        """Stop the threads; nothing is live after it."""
        self._is_stopping = True
        self.drain()
        self.bundles.stop()
        self.loader.stop()
        self.encoders.stop()
        self.batcher.stop()

    @property
    def retry_after_s(self) -> int:
        """What a client that is refused is told to wait: until what waits is done.

        Whole seconds, and never fewer than the setting says.
        """
        return max(self.settings.retry_after_s, math.ceil(self.batcher.wait_s))

    def admit(self, left_s: float) -> None:
        """Refuse a request that cannot be answered in time, before its body is read.

        Raises:
            OverloadedError: too many wait for one that has so many seconds left, or it
                has none: so busy is the event loop that it was not seen before.
        """
        with self._noting_overload():
            if left_s <= 0:
                msg = "its time was over when it was read"
                raise OverloadedError(msg)
            self.batcher.admit(left_s)

    @contextmanager
    def entering(self, timeout_s: float) -> Iterator[None]:
        """Count a request that is decoded as one that waits.

        Raises:
            OverloadedError: as `admit` has it.
        """
        with ExitStack() as counted:
            with self._noting_overload():
                counted.enter_context(self.batcher.entering(timeout_s))
            yield

    @contextmanager
    def _noting_overload(self) -> Iterator[None]:
        try:
            yield
        except OverloadedError:
            self.metrics.dropped.labels("overloaded").inc()
            raise

    async def validation(
        self, asked: Callable[[Live], Awaitable[EncodedReport]], timeout_s: float
    ) -> tuple[EncodedReport, Live]:
        """Return what a validation says of what is live, within its own time.

        Args:
            asked: asks the validation of what is live; again, if that was let go before
                it was measured.
            timeout_s: how long that may take, in seconds.

        Raises:
            NotReadyError: nothing is live, or the service stops.
            DeadlineExceededError: it took too long; the run goes on.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    live = self.live
                    try:
                        return await asked(live), live
                    except ReplacedError:
                        continue
        except TimeoutError as error:
            detail = (
                f"expected a validation run to end in {timeout_s:g} s; it goes on, and "
                "what it has measured is kept: ask again"
            )
            raise DeadlineExceededError(detail) from error

    async def predict(
        self, queries: Sequence[Query | Step], deadline: Deadline | None = None
    ) -> list[tuple[Answer, float]]:
        """Wait for the answers of the engine that the queries of a request carry.

        Args:
            queries: of whole contexts, or of steps of sessions.
            deadline: until when they have to be there; None: as the setting says.

        Returns:
            For each the answer, and the seconds it was queued.

        Raises:
            OverloadedError: too many wait already, or what waits takes too long.
            DeadlineExceededError: it took too long.
            NotReadyError: the service stopped before it came to this.
        """
        deadline = deadline or Deadline.after(self.settings.request_timeout_s)
        if deadline.left_s <= 0:
            # before anything else: that others are waiting is no matter to it
            raise self._exceeded(deadline)
        try:
            with self._noting_overload():
                async with asyncio.timeout(deadline.left_s):
                    return await self.batcher.submit(queries, deadline=deadline.at)
        except TimeoutError as error:
            raise self._exceeded(deadline) from error

    def _exceeded(self, deadline: Deadline) -> DeadlineExceededError:
        self.metrics.dropped.labels("deadline").inc()
        detail = f"expected an answer in {deadline.timeout_s:g} s"
        return DeadlineExceededError(detail)

    async def encode(
        self, live: Live, texts: Mapping[str, str], deadline: Deadline
    ) -> Float32:
        """Encode texts as the corpus of a bundle was, within the time of a request.

        Raises:
            RequestError: the corpus was made from no texts, or one holds nothing.
            NoEncoderError: its encoder is not there.
            DeadlineExceededError: it took too long.
        """
        try:
            async with asyncio.timeout(deadline.left_s):
                return await live.texts.encode(texts)
        except TimeoutError as error:
            self.metrics.dropped.labels("deadline").inc()
            detail = (
                f"expected the texts encoded in {deadline.timeout_s:g} s; "
                "the first ones wait for the encoder to be loaded"
            )
            raise DeadlineExceededError(detail) from error

    def _queue_depth(self) -> int:
        return self.batcher.depth

    def _keep_threads(self) -> None:
        """Give the inference thread its team; runs in it."""
        # here, not at the start: OpenMP keeps these for the calling thread only
        torch.set_num_threads(self.threads)
        # NumPy's BLAS keeps threads of its own, which spin against torch's: 16 ms
        # against 0.2 ms for the transform of one context on two CPUs
        threadpool_limits(1, user_api="blas")
        set_index_threads(self.threads)

    async def _prepare(self, engine: Engine) -> Live:
        """Make of a loaded engine what can go live.

        Raises:
            BundleError: it answers its golden query otherwise.
        """
        one_s = await self.batcher.background(_tried(engine))
        return await self.loader.call(partial(self._made, engine, one_s))

    def _made(self, engine: Engine, one_s: float) -> Live:
        settings, step_s = self.settings, _STEP_SHARE * one_s
        if settings.hitk_step_ms is not None:
            step_s = settings.hitk_step_ms / 1000
        validator = validator_of(engine, step_s=step_s, depth=settings.max_hitk_k)
        return Live(
            engine=engine,
            texts=TextEncoding(engine.bundle, self.encoders),
            hitk=Hitk(engine.bundle, validator, self.batcher, self.metrics),
            limits=Limits(
                dim=engine.bundle.index.dim,
                max_context=settings.max_context,
                max_k=settings.max_k,
                # what cannot wait at once is never answered
                max_contexts=settings.most_contexts,
                default_k=settings.k_by_default,
                excludes_context=engine.bundle.suite.excludes_context,
            ),
        )

    def _went_live(self, live: Live) -> None:
        """Tell everybody of what answers from now on."""
        for other in self.bundles.in_memory:
            other.hitk.show(is_shown=False)
        self.metrics.bundle_live(live.engine.bundle)
        live.hitk.show()
        if self.is_draining:
            self.metrics.ready.set(0)
            live.hitk.end(_stopping())
        self._begin(in_turns(self.sessions.end_others(live.engine)))

    async def _follow(self) -> None:
        """Look at LIVE again and again.

        By reading it: on many mounted volumes nobody is told of what others write.
        """
        while True:
            await asyncio.sleep(self.settings.live_poll_s)
            try:
                await self.bundles.look()
            except NotReadyError:
                return
            except Exception:
                log.exception("LIVE cannot be followed")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside what is asked for."""
        task = asyncio.create_task(work)
        # the event loop itself holds no task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tried(engine: Engine) -> Steps[float]:
    """Ask the golden query and warm up; return the seconds of one full context."""
    check_golden(engine)
    yield
    return (yield from engine.warm())


def _let_go(live: Live) -> None:
    live.hitk.end(ReplacedError("another bundle is live"))


def _stopping() -> NotReadyError:
    return NotReadyError("the service is shutting down")
