"""Around every request: its id, its log line, its metrics, and the body limit.

Pure ASGI: the framework's own helper class hides disconnects
(https://github.com/vllm-project/vllm/issues/10087).
"""

import logging
import random
import re
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextvec.app.api.responses import problem_response
from nextvec.app.api.uploads import Uploads
from nextvec.app.errors import BodyTooLargeError, OverloadedError
from nextvec.app.logs import Seldom
from nextvec.app.metrics import Metrics
from nextvec.app.wire.problems import INTERNAL_ERROR

log = logging.getLogger(__name__)

REQUEST_ID: Final = "X-Request-ID"
_ACCEPTED_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# Anything else, line breaks above all, would let a client write into the log.

_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
)
# A client can invent others, and each would be a time series for ever.

_FIELDS: Final = "nextvec.log_fields"
_ID: Final = "nextvec.request_id"
_SELDOM: Final = "nextvec.seldom"


def log_fields(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the request's log line, to add to; never payloads."""
    fields: dict[str, Any] = scope.setdefault(_FIELDS, {})
    return fields


def request_id(scope: MutableMapping[str, Any]) -> str:
    """Return the id of the request."""
    return str(scope.get(_ID, ""))


def log_seldom(scope: MutableMapping[str, Any], kind: str) -> None:
    """Let one line stand for many requests of a kind, of which there may be any number.

    They are counted in the metrics all the same.
    """
    scope[_SELDOM] = kind


class RequestLog:
    """Gives every request an id, a log line and its metrics; the edge of the app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an app."""
        self._app, self._metrics, self._seldom = app, metrics, Seldom()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        name = given if _ACCEPTED_ID.fullmatch(given) else _new_id()
        scope[_ID] = name
        began, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = name
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("request failed", extra={"request_id": name})
            if status == 0:
                detail = "see the log of the service for this request id"
                broken = problem_response(INTERNAL_ERROR, detail, request_id=name)
                await broken(scope, receive, send_with_id)
        self._note(scope, name, status, time.perf_counter() - began)

    def _note(self, scope: Scope, name: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if (kind := scope.get(_SELDOM)) is not None:
            times = self._seldom.due(kind)
            if not times:
                return
            log_fields(scope)["times"] = times
        log.info(
            "request answered",
            extra={
                "request_id": name,
                "method": method,
                "route": route,
                "status": status,
                "latency_ms": round(1000 * seconds, 3),
                **log_fields(scope),
            },
        )


def _new_id() -> str:
    """Return an id as uuid4 makes them, which would ask the system for each.

    While it is asked the inference thread takes the interpreter, for up to 5 ms.
    """
    return uuid.UUID(int=random.getrandbits(128), version=4).hex


class BodyLimit:
    """Refuses bodies that are too large, alone or all together, while they arrive."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        uploads: Uploads,
        on_refused: Callable[[str], None],
    ) -> None:
        """Wrap an app.

        Args:
            app: what reads the bodies.
            max_body_bytes: of one body.
            uploads: of all that are held.
            on_refused: told ``"uploads"`` of each that does not fit beside the others.
        """
        self._app, self._limit = app, max_body_bytes
        self._uploads, self._on_refused = uploads, on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a limit on what it receives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # twenty digits are beyond any limit, and Python refuses to read thousands
        declared = Headers(scope=scope).get("content-length", "")[:20]
        received = held = 0

        async def receive_limited() -> Message:
            nonlocal received, held
            # before anything is read: the client may announce what we will not take
            if declared.isdecimal() and int(declared) > self._limit:
                self._refuse(f"{declared} bytes announced")
            message = await receive()
            arrived = len(message.get("body", b""))
            received += arrived
            if received > self._limit:
                self._refuse(f"more than {self._limit} arrived")
            if arrived:
                if not self._uploads.take(arrived):
                    self._refuse_for_now()
                held += arrived
            return message

        try:
            await self._app(scope, receive_limited, send)
        finally:
            if held:
                self._uploads.give(held)

    def _refuse(self, found: str) -> None:
        detail = f"expected at most {self._limit} bytes, {found}"
        raise BodyTooLargeError(detail)

    def _refuse_for_now(self) -> None:
        self._on_refused("uploads")
        detail = (
            f"uploads hold {self._uploads.held} bytes already, of "
            f"{self._uploads.limit} that all together may"
        )
        raise OverloadedError(detail)
