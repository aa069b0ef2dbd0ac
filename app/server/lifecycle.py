"""From the first connection to the last answer: signals drain, nothing stays open."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from types import FrameType
from typing import Final

from uvicorn import Config
from uvicorn.server import Server

from nextvec.app.server.connection import Connection
from nextvec.app.server.listening import AddressError
from nextvec.app.server.refusals import Refusals

log = logging.getLogger(__name__)

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SWEEP_S: Final = 0.5
# How late a client that takes too long may be cut off. One look at a connection takes
# less than a microsecond, and a timer of its own for each request would cost more.

_LAST_WORD_S: Final = 1.0
# For the 503 of what did not finish in time: a write, not a wait.


class DrainingServer(Server):
    """uvicorn's server, which serves on for a moment after it was told to stop."""

    def __init__(
        self,
        config: Config,
        *,
        refusals: Refusals,
        drain_delay_s: float,
        on_drain: Callable[[], None],
    ) -> None:
        """Set it up.

        Args:
            config: of uvicorn, with our `Connection`.
            refusals: told of what asyncio could not accept.
            drain_delay_s: how long it serves on, in seconds.
            on_drain: called at once, in the event loop.
        """
        super().__init__(config)
        self._refusals, self._on_drain = refusals, on_drain
        self._drain_delay_s = drain_delay_s
        self._stop_at: float | None = None
        self._is_draining = False

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Load everything, then listen.

        Raises:
            AddressError: another process listens there by now.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._refusals.loop_failed)
        try:
            await super().startup(sockets=sockets)
        except OSError as error:
            # else the inference thread would keep the process
            await self.lifespan.shutdown()
            msg = f"cannot listen: {error.strerror}"
            raise AddressError(msg) from error
        places = [listener.getsockname()[:2] for listener in sockets or ()]
        log.info("listening", extra={"addresses": places})
        self._sweeping = self._loop.create_task(self._sweep())

    async def on_tick(self, counter: int) -> bool:
        """Stop once the delay is over; uvicorn asks ten times a second."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Finish what is asked, then stop the app."""
        self._drain()
        await super().shutdown(sockets=sockets)
        self._sweeping.cancel()
        # what was cancelled has a last word
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_WORD_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # so that they are closed before the loop is
        await asyncio.sleep(0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal has it
        """Begin to drain; told again, or by Ctrl-C, stop without delay."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        if sig == signal.SIGINT or self._stop_at is not None or not self.started:
            self.should_exit = True
            return
        self._stop_at = time.monotonic() + self._drain_delay_s
        self._loop.call_soon_threadsafe(self._drain)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that stop it, and end with status 0 after them.

        uvicorn raises them again in the end, so that a process that has answered
        everything looks as if it was killed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # nohup ignores SIGHUP, and means it
        taken = [s for s in _SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
        before = {s: signal.signal(s, self.handle_exit) for s in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _drain(self) -> None:
        if not self._is_draining:
            self._is_draining = True
            log.info("draining", extra={"delay_s": self._drain_delay_s})
            self._on_drain()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self._loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.expire(now)
