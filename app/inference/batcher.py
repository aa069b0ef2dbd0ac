"""One thread that computes, and the queue in front of it."""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from nextvec.app.errors import NotReadyError, OverloadedError
from nextvec.app.inference.line import Line
from nextvec.app.steps import Steps

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
T = TypeVar("T")

_BACKGROUND_SHARE: Final = 0.05
# Of the thread's time, while requests wait without a pause: a validation run or a new
# bundle that is warmed must get on, if slowly, on a service that is never idle.


@dataclass(slots=True, eq=False)
class _Entry(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[tuple[Result, float]]
    queued_at: float
    deadline: float
    request: object

    @property
    def is_gone(self) -> bool:
        return self.future.cancelled()


class Batcher(Generic[Item, Result]):
    """Runs batches, single calls and background steps in one thread of its own.

    Calls go first, then live requests, then background steps, one at a time; of several
    that run in the background each gets its turn. Where requests never stop waiting,
    background steps get a twentieth of the time.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch: int,
        max_queue: int,
        on_batch: Callable[[int, float], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Set it up; nothing runs before `start`.

        Args:
            run: answers a batch, called in the thread.
            max_batch: most requests of a batch.
            max_queue: most requests that wait.
            on_batch: told size and seconds of each batch, in the thread.
            clock: what tells the time, in seconds; deadlines are of it.
        """
        self._run, self._on_batch, self._clock = run, on_batch, clock
        self._line: Line[_Entry[Item, Result]] = Line(
            max_batch=max_batch, max_queue=max_queue, clock=clock
        )
        self._calls: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._background: deque[tuple[Steps[Any], asyncio.Future[Any]]] = deque()
        # seconds: of batches since the last background step, and of that step
        self._since_step = self._step_took = 0.0
        self._wake = threading.Condition()
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; called in the event loop that will await the answers."""
        self._loop, self._is_stopping = asyncio.get_running_loop(), False
        self._thread = threading.Thread(target=self._work, name="inference")
        self._thread.start()

    def stop(self) -> None:
        """Stop after the work in hand; what still waits gets NotReadyError."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        futures = [entry.future for entry in self._line.clear()]
        futures += [future for _, future in (*self._calls, *self._background)]
        for future in futures:
            _settle(future, NotReadyError("the service is shutting down"))
        for waiting in (self._calls, self._background):
            waiting.clear()

    @property
    def depth(self) -> int:
        """Requests that wait."""
        return len(self._line)

    @property
    def wait_s(self) -> float:
        """Seconds until all that waits should be answered, as the last batches were."""
        with self._wake:
            return self._line.wait_s

    def admit(self, timeout_s: float) -> None:
        """Refuse a request that cannot be answered in time, before it is read.

        Args:
            timeout_s: seconds that it has.

        Raises:
            OverloadedError: too many wait, or for too long.
        """
        with self._wake:
            self._line.check_room(1, at_door=True)
            self._line.check_time(1, timeout_s, at_door=True)

    @contextmanager
    def entering(self, timeout_s: float) -> Iterator[None]:
        """Count a request whose body is there as one that waits, until it does.

        A hundred that come at once are else all decoded before the first of them is
        queued, and most of them for nothing.

        Raises:
            OverloadedError: as `admit` has it.
        """
        self.admit(timeout_s)
        with self._wake:
            self._line.entering += 1
        try:
            yield
        finally:
            with self._wake:
                self._line.entering -= 1

    def answered(self, before_s: float, after_s: float) -> None:
        """Note how long an answer took from the door to the queue, and after its batch.

        Both in seconds.
        """
        with self._wake:
            self._line.answered(before_s, after_s)

    async def submit(
        self, items: Sequence[Item], *, deadline: float = math.inf
    ) -> list[tuple[Result, float]]:
        """Wait for the answers to the items of one request: for all or for none.

        They share batches with whatever else waits. A cancelled call, or one of whose
        items one has failed, leaves the queue at once.

        Args:
            items: what is asked.
            deadline: when their answers are worth nothing any more, on the clock.

        Returns:
            For each its answer, and the seconds before its batch began.

        Raises:
            OverloadedError: more would wait than may, and none of them does; or they
                cannot be answered before the deadline.
        """
        now, request = self._clock(), object()
        entries: list[_Entry[Item, Result]] = [
            _Entry(item, self._future(), now, deadline, request) for item in items
        ]
        with self._wake:
            self._line.check_room(len(entries), at_door=False)
            self._line.check_time(len(entries), deadline - now, at_door=False)
            self._line.join(entries)
            self._wake.notify()
        try:
            # in their order, as they are answered; gather would take a turn of the
            # event loop more
            return [await entry.future for entry in entries]
        except BaseException:
            self._leave(entries)
            raise

    def _leave(self, entries: list[_Entry[Item, Result]]) -> None:
        """Take out of the queue what nobody waits for any more."""
        with self._wake:
            self._line.leave(entries)
        for entry in entries:
            # of one that has an error: nobody has to hear that, too
            entry.future.cancel()

    def call(self, function: Callable[[], T]) -> Awaitable[T]:
        """Run a function in the thread, before anything that waits."""
        future: asyncio.Future[T] = self._future()
        with self._wake:
            self._calls.append((function, future))
            self._wake.notify()
        return future

    def background(self, steps: Steps[T]) -> Awaitable[T]:
        """Run a generator step by step, mostly while no request waits."""
        future: asyncio.Future[T] = self._future()
        with self._wake:
            self._background.append((steps, future))
            self._wake.notify()
        return future

    def _future(self) -> asyncio.Future[Any]:
        if self._loop is None or self._is_stopping:
            msg = "the inference thread is not running"
            raise NotReadyError(msg)
        return self._loop.create_future()

    def _work(self) -> None:
        while True:
            batch, call, steps = None, None, None
            with self._wake:
                while not (self._calls or self._line or self._background):
                    if self._is_stopping:
                        return
                    self._wake.wait()
                if self._is_stopping:
                    return
                if self._calls:
                    call = self._calls.popleft()
                elif self._background and (not self._line or self._is_due()):
                    steps = self._background.popleft()
                else:
                    batch = self._line.take()
            if call is not None:
                self._do(*call)
            elif steps is not None:
                self._step(*steps)
            elif batch is not None:
                self._drop(batch.late)
                self._answer(batch.taken)

    def _is_due(self) -> bool:
        others = 1 / _BACKGROUND_SHARE - 1
        return self._since_step > others * self._step_took

    def _drop(self, late: list[_Entry[Item, Result]]) -> None:
        if not late:
            return
        error = OverloadedError(
            f"{len({entry.request for entry in late})} requests had too little time "
            "left when they were to be computed"
        )
        self._post([(entry.future, error) for entry in late])

    # An error keeps the frames that it was raised through, and those hold what it was
    # raised for, a whole bundle maybe. So both of these let go of error and future:
    # they would hold the error, it them, and all of it would stay for ever.

    def _do(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        try:
            outcome = function()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            outcome = error
        self._post([(future, outcome)])
        del outcome, future

    def _step(self, steps: Steps[Any], future: asyncio.Future[Any]) -> None:
        began = time.perf_counter()
        if future.cancelled():
            # what it holds goes here and now
            steps.close()
            return
        is_over = True
        try:
            next(steps)
            outcome: Any = None
            is_over = False
        except StopIteration as stop:
            outcome = stop.value
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            outcome = error
        self._since_step, self._step_took = 0.0, time.perf_counter() - began
        if is_over:
            self._post([(future, outcome)])
        else:
            with self._wake:
                # at the end: the others get their turn before it
                self._background.append((steps, future))
        del outcome, future

    def _answer(self, batch: list[_Entry[Item, Result]]) -> None:
        if not batch:
            return
        began = self._clock()
        outcomes = self._outcomes([entry.item for entry in batch])
        took_s = self._clock() - began
        with self._wake:
            self._line.done()
        self._since_step += took_s
        self._on_batch(len(batch), took_s)
        answers = [
            outcome
            if isinstance(outcome, Exception)
            else (outcome, began - entry.queued_at)
            for entry, outcome in zip(batch, outcomes, strict=True)
        ]
        self._post([(entry.future, a) for entry, a in zip(batch, answers, strict=True)])

    def _outcomes(self, items: list[Item]) -> Sequence[Result | Exception]:
        try:
            return self._run(items)
        except Exception as error:
            log.exception("batch failed", extra={"size": len(items)})
            if len(items) == 1:
                return [error]
        # one request must not take the others of its batch down with it
        return [outcome for item in items for outcome in self._outcomes([item])]

    def _post(self, outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_settle_all, outcomes)


def _settle_all(outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in outcomes:
        _settle(future, outcome)


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
