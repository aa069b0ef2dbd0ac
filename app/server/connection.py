"""A connection: HTTP/1.1 by httptools, with a limit on everything a client may take.

uvicorn's own protocols bound neither the head (httptools) nor the time that a head or a
body takes, nor how many connections are open, nor how long a client may not read.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Container
from math import inf
from typing import Any, Final, Literal

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from nextvec.app.arrival import Arrival, Visitor, announce_arrival, arrival_of
from nextvec.app.server.exchange import HIGH_WATER, App, Exchange
from nextvec.app.server.head import Head, HeadTooLargeError
from nextvec.app.server.limits import SPARE, ConnectionLimits
from nextvec.app.server.refusals import Refusals
from nextvec.app.server.timed_loop import TimedLoop
from nextvec.app.wire.problems import (
    BAD_REQUEST,
    HEAD_TOO_LARGE,
    OVERLOADED,
    REQUEST_TIMEOUT,
    ProblemType,
)

log = logging.getLogger(__name__)

Stage = Literal["idle", "head", "body", "answer", "closing"]

_MAX_PIPELINED: Final = 16
# Requests of one connection that wait for the answer to the one before. Else 256 KiB,
# what is read at once, would be 14,000 of them, 28 MB.

_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 1 << 20
# After an answer that came before the end of its request: reading on for a moment lets
# the client find the answer, where a closed socket would answer with a reset.


class _TooManyError(Exception):
    """More requests on one connection than may wait; raised within the parser."""


class Connection(asyncio.Protocol):
    """One connection of a client; one of its requests is answered at a time."""

    transport: asyncio.Transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
        refusals: Refusals,
        probes: Container[str] = (),
    ) -> None:
        """Set it up as uvicorn does, with limits of our own.

        Args:
            config: of uvicorn, with the app.
            server_state: what the connections of a server have in common.
            app_state: what the app has kept at its start.
            limits: what a client may take.
            refusals: told of what is refused.
            probes: paths that are answered even where there are too many connections.
        """
        self._loop = _loop or asyncio.get_running_loop()
        self._app: App = config.loaded_app
        self._state, self._app_state = server_state, app_state
        # uvicorn's own protocols, by its annotation
        self._connections: set[Any] = server_state.connections
        self._limits, self._refusals, self._probes = limits, refusals, probes
        self.is_spare = False
        """One too many: probes alone are answered on it, and it ends after one."""
        self._parser = httptools.HttpRequestParser(self)
        self.can_write = asyncio.Event()
        """Not set while the client reads too little."""
        self.can_write.set()
        self._is_paused = False
        self._addresses: dict[str, Any] = {}
        self._visitor = Visitor()

        self.deadline = inf
        """When whatever is waited for has to have happened, in the loop's time."""
        self._unwritten = 0
        self._write_deadline = inf
        self._stage: Stage = "idle"
        self._idle_since = inf
        # what comes is not HTTP any more, or nothing that will be answered
        self._is_deaf = False
        self._swallowed = 0

        # of the request that arrives
        self._head = Head(limits.max_head_bytes)
        self._head.is_complete = True
        self._num_heads = 0
        self._arriving: Exchange | None = None
        # those of which the head is there, in order; the first is being answered
        self._exchanges: deque[Exchange] = deque()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The date, made once a second."""
        return self._state.default_headers

    @property
    def idle_since(self) -> float:
        """When an answer ended, or it was opened; inf while a request is there."""
        return self._idle_since if self._stage in {"idle", "head"} else inf

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or for probes alone where there are too many and none is idle."""
        if not isinstance(transport, asyncio.Transport):
            msg = f"expected a stream, got {type(transport).__name__}"
            raise TypeError(msg)
        self.transport = transport
        connections = self._connections
        connections.add(self)
        self._idle_since = self._loop.time()
        peer, own = (transport.get_extra_info(n) for n in ("peername", "sockname"))
        self._addresses = {
            "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
            "server": tuple(own[:2]) if isinstance(own, tuple) else None,
        }
        self._wait_for("head", self._limits.head_timeout_s)
        if len(connections) > self._limits.max_connections and not self._finds_room():
            self._refuse_one_more()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._is_deaf:
            self._swallowed += len(data)
            if self._swallowed > _LINGER_BYTES:
                self.transport.abort()
            return
        if self._stage == "idle":
            self._wait_for("head", self._limits.head_timeout_s)
        heads = self._num_heads + (self._arriving is not None)
        try:
            self._parser.feed_data(data)
            if self._is_in_head and heads == self._num_heads:
                # all of it is head, but what has not ended is in no callback yet
                self._head.feed(len(data))
        except httptools.HttpParserUpgrade as pause:
            (end,) = pause.args
            self._stay_with_http(data[end:])
        except httptools.HttpParserError as error:
            self._not_understood(error.__context__ or error)
        except HeadTooLargeError as error:
            self._not_understood(error)

    def eof_received(self) -> None:
        """Take it that a client that ends its side has left."""

    def connection_lost(self, _: Exception | None) -> None:
        """Let go of everything."""
        self._connections.discard(self)
        self._stage, self.deadline = "closing", inf
        for exchange in self._exchanges:
            exchange.leave()
        self._exchanges.clear()
        self._arriving = None
        self.can_write.set()
        # it refers back to this
        del self._parser

    def pause_writing(self) -> None:
        """Note that the client reads too little."""
        self.can_write.clear()
        self._unwritten = self.transport.get_write_buffer_size()
        self._write_deadline = self._loop.time() + self._limits.body_timeout_s

    def resume_writing(self) -> None:
        """Note that it reads again."""
        self.can_write.set()
        self._write_deadline = inf

    # what the parser calls

    def on_message_begin(self) -> None:
        """Begin with a request."""
        if self._is_deaf:
            # refused with the one before, which came in the same piece
            return
        if len(self._exchanges) > _MAX_PIPELINED:
            raise _TooManyError
        self._head = Head(self._limits.max_head_bytes)
        if not self._exchanges:
            self._stage = "head"

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._head.add_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._head.add_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the app begin with a request, if its turn has come."""
        if self._is_deaf:
            return
        self._head.is_complete = True
        if self._offers_upgrade():
            # it comes again without the offer
            return
        self._num_heads += 1
        version = self._parser.get_http_version()
        self._head.check_host(version)
        scope = self._head.scope(self._parser.get_method(), version)
        scope |= {"state": self._app_state.copy(), **self._addresses}
        announce_arrival(scope, Arrival(self._since(), self._visitor))
        exchange = Exchange(
            self,
            scope,
            keeps_alive=self._parser.should_keep_alive() and not self.is_spare,
            # RFC 9110, 10.1.1: of HTTP/1.0 it means nothing
            awaits_continue=self._head.awaits_continue and version == "1.1",
        )
        self._arriving = exchange
        self._exchanges.append(exchange)
        if self.is_spare and scope["path"] not in self._probes:
            self._refuse_one_more()
        elif len(self._exchanges) == 1:
            self._wait_for("body", self._limits.body_timeout_s)
            self._begin(exchange)
        else:
            self._stop_reading()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if self._arriving is None:
            return
        self._arriving.feed(body)
        if self._arriving.waiting_bytes > HIGH_WATER:
            self._stop_reading()

    def on_message_complete(self) -> None:
        """Note that a request is there."""
        if self._arriving is None:
            return
        arrival_of(self._arriving.scope).at = self._since()
        self._arriving.end()
        if self._arriving is self._exchanges[0]:
            self._wait_for("answer", inf)
        self._arriving = None

    # what an exchange calls

    def write(self, content: bytes) -> None:
        """Write to the client."""
        self.transport.write(content)

    def go_on_reading(self) -> None:
        """Read on, if one request alone is there."""
        if self._is_paused and len(self._exchanges) < 2:
            self._is_paused = False
            self.transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        """Go on after an answer: with the next request, or not at all."""
        self._state.total_requests += 1
        self._exchanges.popleft()
        if not exchange.is_received:
            self._linger()
        elif not exchange.keeps_alive:
            self._close()
        elif self._exchanges:
            following = self._exchanges[0]
            is_there = following.is_received
            self._wait_for(
                "answer" if is_there else "body",
                inf if is_there else self._limits.body_timeout_s,
            )
            self._begin(following)
            self.go_on_reading()
        else:
            self._idle_since = self._loop.time()
            if self._is_in_head:
                self._wait_for("head", self._limits.head_timeout_s)
            else:
                self._wait_for("idle", self._limits.keep_alive_s)
            self.go_on_reading()

    def refuse(
        self,
        reason: str,
        kind: ProblemType,
        detail: str,
        *,
        of: Exchange | None = None,
        lingers: bool = True,
    ) -> None:
        """Answer with a problem in place of the app, and end the connection.

        Args:
            reason: what metrics and log call it.
            kind: the problem.
            detail: what was expected and what came.
            of: what the app failed to answer; nothing happens if that is over.
            lingers: read on for a moment, so that the client finds the answer.
        """
        if self._stage == "closing" or (of is not None and of.is_gone):
            return
        self._refusals.note(reason, detail)
        first = self._exchanges[0] if self._exchanges else None
        for exchange in self._exchanges:
            exchange.leave()
        self._exchanges.clear()
        self._arriving = None
        if first is not None and first.has_begun:
            # a half of an answer must not end as if it were whole
            self.transport.abort()
            return
        self.write(self._refusals.answer(kind, detail, more=self.default_headers))
        if lingers:
            self._linger()
        else:
            self._close()

    # what the server calls

    def expire(self, now: float) -> None:
        """Do what is due: a client that takes too long is told, or cut off."""
        if now >= self._write_deadline:
            left = self.transport.get_write_buffer_size()
            if left >= self._unwritten:
                self._refusals.note("reading", "nothing of the answer was read")
                self.transport.abort()
                return
            self._unwritten = left
            self._write_deadline = now + self._limits.body_timeout_s
        if now < self.deadline:
            return
        if self._stage == "closing":
            self.transport.abort()
        elif self._stage == "body":
            detail = f"expected a body within {self._limits.body_timeout_s:g} s"
            self.refuse("body", REQUEST_TIMEOUT, detail)
        elif self._stage == "head" and self._is_in_head:
            detail = f"expected a request within {self._limits.head_timeout_s:g} s"
            self.refuse("head", REQUEST_TIMEOUT, detail)
        else:
            self._close()

    def shutdown(self) -> None:
        """End after the answers that are asked for."""
        if self._exchanges:
            self._exchanges[-1].keeps_alive = False
        else:
            self._close()

    def evict(self) -> None:
        """Give up an idle connection for one that may have something to ask."""
        self._refusals.note("evicted", "idle, and its place was needed")
        self.transport.abort()

    # what happens within

    def _since(self) -> float:
        """Return since when what is parsed may have been there."""
        loop = self._loop
        return loop.since if isinstance(loop, TimedLoop) else time.perf_counter()

    def _wait_for(self, stage: Stage, seconds: float) -> None:
        self._stage, self.deadline = stage, self._loop.time() + seconds

    def _finds_room(self) -> bool:
        """Take the place of an idle one, or one that is spared for probes."""
        spared = sum(c.is_spare for c in self._connections)
        if len(self._connections) - spared <= self._limits.max_connections:
            return True
        if self._evicts_idle(is_spare=False):
            return True
        self.is_spare = True
        return spared < SPARE or self._evicts_idle(is_spare=True)

    def _evicts_idle(self, *, is_spare: bool) -> bool:
        idle = min(
            (
                c
                for c in self._connections
                if c is not self
                and c.is_spare is is_spare
                and not c.transport.is_closing()
            ),
            key=lambda c: c.idle_since,
            default=None,
        )
        if idle is None or idle.idle_since == inf:
            return False
        idle.evict()
        return True

    def _refuse_one_more(self) -> None:
        detail = f"expected at most {self._limits.max_connections} connections"
        # else each would take a place for a moment yet
        self.refuse("connections", OVERLOADED, detail, lingers=False)

    @property
    def _is_in_head(self) -> bool:
        return not self._head.is_complete

    def _offers_upgrade(self) -> bool:
        """Whether a request offers another protocol; CONNECT demands one."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    def _stay_with_http(self, rest: bytes) -> None:
        """Take a request as if it offered no other protocol (RFC 9110, 7.8).

        The parser takes all that follows, a body too, to be of that protocol. Clients
        that would rather speak HTTP/2 offer it with every request: Java's, curl's.
        """
        if not self._offers_upgrade():
            self._exchanges[-1].keeps_alive = False
            self._is_deaf = True
            return
        method, version = self._parser.get_method(), self._parser.get_http_version()
        again = self._head.without_upgrade(method, version)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(again + rest)

    def _not_understood(self, error: BaseException) -> None:
        """Refuse what is no HTTP, after the answers to what was."""
        waiting = [e for e in self._exchanges if e is not self._arriving]
        if waiting and self._arriving is None:
            waiting[-1].keeps_alive = False
            self._is_deaf = True
        elif isinstance(error, HeadTooLargeError):
            detail = f"expected a head of at most {self._limits.max_head_bytes} bytes"
            self.refuse("head", HEAD_TOO_LARGE, detail)
        else:
            detail = f"expected HTTP/1.1: {error or type(error).__name__}"
            self.refuse("protocol", BAD_REQUEST, detail)

    def _begin(self, exchange: Exchange) -> None:
        task = self._loop.create_task(exchange.run(self._app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _stop_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _close(self) -> None:
        self._is_deaf = True
        self._wait_for("closing", _LINGER_S)
        self.transport.close()

    def _linger(self) -> None:
        """End our side, and read on for a moment."""
        self._is_deaf = True
        self._wait_for("closing", _LINGER_S)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
