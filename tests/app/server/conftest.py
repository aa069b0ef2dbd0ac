"""A small app behind our connections, on a socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
import uvicorn

from nextvec.app.server.connection import Connection
from nextvec.app.server.lifecycle import DrainingServer
from nextvec.app.server.limits import ConnectionLimits
from nextvec.app.server.listening import take_address
from nextvec.app.server.refusals import Refusals
from nextvec.app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from nextvec.app.server.exchange import App, Message

    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

LIMITS: dict[str, Any] = {
    "max_connections": 20,
    "backlog": 64,
    "max_head_bytes": 4096,
    "head_timeout_s": 60.0,
    "body_timeout_s": 60.0,
    "keep_alive_s": 60.0,
    "retry_after_s": 7,
}
PATIENCE_S = 20.0
PIECES = {"/half": [b"half"], "/parts": [b"one "], "/large": [bytes(1 << 16)] * 200}


@dataclass
class Running:
    """A server that runs, and what it was told."""

    app: App
    limits: ConnectionLimits
    drain_delay_s: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    drained: list[bool] = field(default_factory=list)

    def prepare(self) -> None:
        """Put everything together."""
        self.listeners = take_address(Settings(port=0))
        self.port: int = self.listeners[0].getsockname()[1]
        refusals = Refusals(retry_after_s=self.limits.retry_after_s, count=self._count)
        config = uvicorn.Config(
            cast("Any", self.app),
            http=cast(
                "type[Connection]",
                partial(
                    Connection,
                    limits=self.limits,
                    refusals=refusals,
                    probes={"/probe"},
                ),
            ),
            loop="asyncio",
            lifespan="off",
            log_config=None,
            server_header=False,
            backlog=self.limits.backlog,
            timeout_graceful_shutdown=1,
        )
        self.server = DrainingServer(
            config,
            refusals=refusals,
            drain_delay_s=self.drain_delay_s,
            on_drain=lambda: self.drained.append(True),
        )

    def run_here(self) -> None:
        """Run in this thread, which signals come to; print the port first."""
        self.prepare()
        self.listeners[0].listen()
        sys.stdout.write(f"{self.port}\n")
        sys.stdout.flush()
        self.server.run(self.listeners)

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()

    def __enter__(self) -> Self:
        self.prepare()
        self.thread = threading.Thread(target=self.server.run, args=(self.listeners,))
        self.thread.start()
        self.until(lambda: self.server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_S)
        self.close()

    def _count(self, reason: str) -> None:
        self.refused[reason] += 1

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        until = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.01)

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        client.settimeout(PATIENCE_S)
        return client

    def ask(self, *pieces: bytes) -> bytes:
        """Send pieces one after another; return all that comes until the end."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
                if len(pieces) > 1:
                    time.sleep(0.05)
            return read(client)


def read(client: socket.socket) -> bytes:
    """Read to the end."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            content += piece
    return content


async def body_of(receive: Receive) -> bytes | None:
    """Return a body; None if the client left."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message["more_body"]
    return body


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with method, path, query and number of bytes of the body."""
    path = scope["path"]
    body = b"" if path == "/early" else await body_of(receive)
    if body is None:
        return
    await _before(path, receive)
    status = 204 if path == "/nothing" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    for piece in PIECES.get(path, ()):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if path == "/half":
        msg = "a bug in the middle"
        raise RuntimeError(msg)
    content = f"{scope['method']} {path} {scope['query_string']} {len(body)}"
    await send({"type": "http.response.body", "body": content.encode()})


async def _before(path: str, receive: Receive) -> None:
    if path == "/slow":
        await asyncio.sleep(0.3)
    elif path == "/hang":
        # the client never sends more
        await receive()
    elif path == "/broken":
        msg = "a bug"
        raise RuntimeError(msg)


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Start servers of an app, with other limits than the usual ones."""
    with contextlib.ExitStack() as stack:

        def start(
            app: App = echo, *, drain_delay_s: float = 0.0, **limits: float
        ) -> Running:
            running = Running(app, ConnectionLimits(**(LIMITS | limits)), drain_delay_s)
            return stack.enter_context(running)

        yield start
