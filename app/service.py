"""The service behind the routes: what is live, or why nothing is."""

import asyncio
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from threadpoolctl import threadpool_limits

from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.app.deadline import Deadline
from nextvec.app.errors import DeadlineExceededError, NotReadyError, OverloadedError
from nextvec.app.hitk.baseline_validator import validator_of
from nextvec.app.hitk.hitk import Hitk
from nextvec.app.inference.batcher import Batcher
from nextvec.app.inference.encoding import TextEncoding
from nextvec.app.inference.engine import Answer, Engine, Query
from nextvec.app.inference.golden import open_engine
from nextvec.app.inference.threads import inference_threads
from nextvec.app.metrics import Metrics
from nextvec.app.release.loading import LoadingLog
from nextvec.app.release.registry import Registry
from nextvec.app.sessions.session import Step
from nextvec.app.sessions.stepping import answer_all
from nextvec.app.sessions.store import SessionStore
from nextvec.app.sessions.tokens import Tokens
from nextvec.app.settings import Settings
from nextvec.app.wire.options import Limits
from nextvec.training.errors import ProjectError
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
    """Owns the inference thread and the live bundle."""

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
        self.reason = "the service is starting"
        """Why nothing is live, while that is so."""
        self.is_draining = False
        """It answers yet, but will stop."""
        self._live: Live | None = None

    @property
    def live(self) -> Live:
        """What answers requests.

        Raises:
            NotReadyError: nothing does, and why.
        """
        if self._live is None:
            raise NotReadyError(self.reason)
        return self._live

    async def start(self) -> None:
        """Start the thread, and load, check and warm the live bundle in it.

        A bundle that cannot be used leaves the service up and not ready.
        """
        self.batcher.start()
        began = time.perf_counter()
        try:
            self._live = await self.batcher.call(self._load)
        except ProjectError as error:
            self.reason = str(error)
            log.error("no bundle is live", extra={"reason": self.reason})  # noqa: TRY400 - the reason is the whole story
        except Exception as error:
            # the edge of the process: whatever is in a bundle must not take it down
            self.reason = f"the bundle cannot be loaded: {type(error).__name__}"
            log.exception("no bundle is live", extra={"reason": self.reason})
        else:
            bundle = self._live.engine.bundle
            self.metrics.bundle_live(bundle)
            log.info(
                "bundle is live",
                extra={
                    "bundle": bundle.manifest.version,
                    "verdict": bundle.verdict,
                    "num_vectors": bundle.manifest.num_vectors,
                    "threads": self.threads,
                    "startup_s": round(time.perf_counter() - began, 3),
                },
            )

    def drain(self) -> None:
        """Say that it is not ready, and stop validating; requests are answered yet."""
        self.is_draining = True
        self.metrics.ready.set(0)
        if self._live is not None:
            self._live.hitk.stop()

    def stop(self) -> None:
        """Stop the thread; nothing is live after it."""
        if self._live is not None:
            self._live.texts.stop()
        self._live, self.reason = None, "the service is shutting down"
        self.metrics.ready.set(0)
        self.batcher.stop()

    @property
    def retry_after_s(self) -> int:
        """What a client that is refused is told to wait: until what waits is done.

        Whole seconds, and never fewer than the setting says.
        """
        return max(self.settings.retry_after_s, math.ceil(self.batcher.wait_s))

    def admit(self, timeout_s: float) -> None:
        """Refuse a request that cannot be answered in time, before it is read.

        Raises:
            OverloadedError: too many wait for one that has so many seconds.
        """
        with self._noting_overload():
            self.batcher.admit(timeout_s)

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

    def _load(self) -> Live:
        """Load and try out the bundle; runs in the inference thread."""
        # here, not at the start: OpenMP keeps these for the calling thread only
        torch.set_num_threads(self.threads)
        # NumPy's BLAS keeps threads of its own, which spin against torch's: 16 ms
        # against 0.2 ms for the transform of one context on two CPUs
        threadpool_limits(1, user_api="blas")
        set_index_threads(self.threads)
        told = LoadingLog()
        reads_all = self.settings.verify == "all"
        verified = None if reads_all else VerifiedFiles.of_user()
        engine = open_engine(self._folder(), told, verified)
        settings, one_s = self.settings, engine.warm(partial(told, "warming up"))
        step_s = _STEP_SHARE * one_s
        if settings.hitk_step_ms is not None:
            step_s = settings.hitk_step_ms / 1000
        validator = validator_of(engine, step_s=step_s, depth=settings.max_hitk_k)
        return Live(
            engine=engine,
            texts=TextEncoding(engine.bundle),
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

    def _folder(self) -> Path:
        registry = Registry(self.settings.bundles)
        if self.settings.bundle is None:
            return registry.live()
        return registry.path(self.settings.bundle)
