"""What is refused before the app hears of it: answered, counted, and noted."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from nextvec.app.logs import Seldom
from nextvec.app.wire.problems import MEDIA_TYPE, ProblemType, problem_body

log = logging.getLogger(__name__)

Headers = Iterable[tuple[bytes, bytes]]

_ACCEPT_FAILED: Final = "socket.accept() out of system resource"
# What asyncio says of it, once for each place in the backlog and every second.


@dataclass(slots=True)
class Refusals:
    """Tells clients, metrics and log."""

    retry_after_s: int
    count: Callable[[str], None]
    """Told the reason of each."""

    seldom: Seldom = field(default_factory=Seldom)

    def note(self, reason: str, detail: str = "") -> None:
        """Count one, and log it unless the same was logged a moment ago."""
        self.count(reason)
        if number := self.seldom.due(reason):
            log.warning(
                "refused",
                extra={"reason": reason, "detail": detail, "times": number},
            )

    def answer(self, kind: ProblemType, detail: str, *, more: Headers = ()) -> bytes:
        """Return a whole response after which the connection ends."""
        name = uuid.uuid4().hex
        body = problem_body(kind, detail, request_id=name)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", name.encode()),
            (b"connection", b"close"),
            *more,
        ]
        if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        return head_of(kind.status, headers) + body

    def loop_failed(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """Take what asyncio could not handle: no descriptor is left to accept with."""
        if context.get("message") == _ACCEPT_FAILED:
            self.note("descriptors", str(context.get("exception")))
        else:
            loop.default_exception_handler(context)


_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


def head_of(status: int, headers: Headers) -> bytes:
    """Return the head of a response.

    Raises:
        ValueError: a header would end its line.
    """
    parts = [b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b""))]
    parts += [b"%s: %s\r\n" % header for header in headers]
    head = b"".join(parts)
    if head.count(b"\n") != len(parts) or head.count(b"\r") != len(parts):
        msg = f"expected headers of one line, got {head[:200]!r}"
        raise ValueError(msg)
    return head + b"\r\n"
