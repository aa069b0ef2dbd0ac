"""One request and its answer, as ASGI has them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from nextvec.app.server.refusals import head_of
from nextvec.app.wire.problems import INTERNAL_ERROR, NOT_READY

if TYPE_CHECKING:
    from nextvec.app.server.connection import Connection

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]
"""An ASGI app of version 3."""

log = logging.getLogger(__name__)

HIGH_WATER: Final = 1 << 16
"""Bytes of a body that wait for the app before the client has to."""

_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Exchange:
    """A request that arrives piece by piece, and the answer that the app gives it."""

    __slots__ = (
        "_awaits_continue",
        "_chunks",
        "_connection",
        "_head",
        "_is_chunked",
        "_is_delivered",
        "_waiter",
        "has_begun",
        "is_answered",
        "is_gone",
        "is_received",
        "keeps_alive",
        "scope",
        "waiting_bytes",
    )

    def __init__(
        self,
        connection: Connection,
        scope: dict[str, Any],
        *,
        keeps_alive: bool,
        awaits_continue: bool,
    ) -> None:
        """Set it up when the head has arrived."""
        self._connection, self.scope = connection, scope
        self.keeps_alive, self._awaits_continue = keeps_alive, awaits_continue
        self._chunks: list[bytes] = []
        self.waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        # None: the answer has no body, whatever the app sends
        self._is_chunked: bool | None = False
        self._is_delivered = False
        self.has_begun = False
        """A part of the answer is written."""
        self.is_received = False
        """The whole request has arrived."""
        self.is_answered = False
        self.is_gone = False
        """Nobody waits for the answer any more."""

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(chunk)
        self.waiting_bytes += len(chunk)
        self._wake()

    def end(self) -> None:
        """Note that the body is complete."""
        self.is_received = True
        self._wake()

    def leave(self) -> None:
        """Note that the client is gone, or was told something else."""
        self.is_gone = True
        self._chunks.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, app: App) -> None:
        """Let the app answer."""
        detail = ""
        try:
            await app(self.scope, self.receive, self.send)
            detail = "" if self.is_answered or self.is_gone else "it gave no answer"
        except asyncio.CancelledError:
            # the server does that once the time to finish is over
            self._connection.refuse(
                "shutdown", NOT_READY, "the service is shutting down", of=self
            )
        except Exception as error:
            log.exception("the app failed")
            detail = type(error).__name__
        if detail:
            self._connection.refuse("failed", INTERNAL_ERROR, detail, of=self)

    async def receive(self) -> Message:
        """Return what has arrived, or wait for it (ASGI)."""
        while not (self.is_gone or self.is_answered):
            if self._chunks or (self.is_received and not self._is_delivered):
                return self._next()
            if self._awaits_continue:
                self._awaits_continue = False
                self._connection.write(head_of(HTTPStatus.CONTINUE, ()))
            self._connection.go_on_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    def _next(self) -> Message:
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.waiting_bytes = 0
        self._is_delivered = self.is_received
        return {
            "type": "http.request",
            "body": body,
            "more_body": not self.is_received,
        }

    async def send(self, message: Message) -> None:
        """Write a part of the answer (ASGI); of one that nobody waits for, nothing."""
        if self.is_gone or self.is_answered:
            return
        if message["type"] == "http.response.start":
            # written with the body: one segment, and the app may fail until then
            self._head = message["status"], list(message.get("headers", ()))
            return
        if self.has_begun:
            content = self._chunk(message.get("body", b""))
        else:
            content = self._begun(message)
        is_last = not message.get("more_body", False)
        if is_last and self._is_chunked:
            content += b"0\r\n\r\n"
        self._connection.write(content)
        if is_last:
            self.is_answered = True
            self._wake()
            self._connection.answered(self)
        elif not self._connection.can_write.is_set():
            await self._connection.can_write.wait()

    def _begun(self, message: Message) -> bytes:
        """Return head and first piece of the answer."""
        if self._head is None:
            msg = "expected the start of an answer before its body"
            raise RuntimeError(msg)
        status, headers = self._head
        self._awaits_continue = False
        body = message.get("body", b"")
        has_body = status not in _WITHOUT_BODY and self.scope["method"] != "HEAD"
        names = {name.lower() for name, _ in headers}
        if has_body and b"content-length" not in names:
            if not message.get("more_body", False):
                headers.append((b"content-length", b"%d" % len(body)))
            elif self.scope["http_version"] == "1.1":
                headers.append((b"transfer-encoding", b"chunked"))
                self._is_chunked = True
            else:
                self.keeps_alive = False
        # what of a request is not read by now never is
        self.keeps_alive = self.keeps_alive and self.is_received
        if not self.keeps_alive:
            headers.append((b"connection", b"close"))
        head = head_of(status, [*self._connection.default_headers, *headers])
        self.has_begun = True
        if not has_body:
            self._is_chunked = None
            return head
        return head + self._chunk(body)

    def _chunk(self, body: bytes) -> bytes:
        if self._is_chunked is None:
            return b""
        if not self._is_chunked or not body:
            return body
        return b"%x\r\n%s\r\n" % (len(body), body)
