"""Admission control: what cannot be answered in time is turned away.

A service with more to do than it can spends on each refusal what it takes from answers.
So they are made here, before the framework hears of it, and a client that comes back
before it was told to waits for the next one.

Pure ASGI, as all that stands around the app.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nextvec.app.api.computing import ComputingRoutes
from nextvec.app.api.error_handlers import error_response
from nextvec.app.api.media import announces_body
from nextvec.app.api.middleware import log_fields, log_seldom
from nextvec.app.api.timeouts import timeout_of
from nextvec.app.arrival import Arrival, address_of, arrival_of
from nextvec.app.errors import InvalidHeaderError, OverloadedError
from nextvec.app.service import Service

_SMALL: Final = 1 << 18
# Bytes of a body that are read and dropped, so that the connection stays: to open
# another one costs more than that.


class Admission:
    """Lets in what can be answered in time, as far as that is known."""

    def __init__(
        self, app: ASGIApp, *, service: Service, routes: ComputingRoutes
    ) -> None:
        """Wrap an app.

        Args:
            app: what answers.
            service: what knows how long that would take.
            routes: what to look at; all else is let in.
        """
        self._app, self._service, self._routes = app, service, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here with a problem."""
        route = self._routes.find(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        headers, arrival = Headers(scope=scope), arrival_of(scope)
        is_early = arrival.visitor.comes_early(address_of(scope))
        try:
            timeout_s = timeout_of(headers, self._service.settings.request_timeout_s)
            self._service.admit(arrival.at + timeout_s - time.perf_counter())
        except InvalidHeaderError:
            # the route says so
            await self._app(scope, receive, send)
        except OverloadedError as error:
            # as the framework would, which is not asked
            scope["route"] = route
            if is_early:
                log_seldom(scope, "early")
                self._service.metrics.refused.labels("early").inc()
            if await _is_out_of_the_way(headers, receive) and is_early:
                await self._hold_back(scope, receive, arrival, timeout_s)
            answer = error_response(
                error, scope, retry_after_s=self._service.retry_after_s
            )
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _hold_back(
        self, scope: Scope, receive: Receive, arrival: Arrival, timeout_s: float
    ) -> None:
        """Wait as long as the client was told to, or as it is thought to wait.

        Never longer than the service lets a request wait, nor once it has left.
        """
        visitor, longest_s = arrival.visitor, self._service.settings.request_timeout_s
        patience_s = min(visitor.patience_s(timeout_s), longest_s)
        until = min(visitor.told_until, arrival.at + patience_s)
        held_s = until - time.perf_counter()
        if held_s <= 0:
            # so late was it read
            return
        log_fields(scope)["held_ms"] = round(1000 * held_s, 3)
        with suppress(TimeoutError):
            async with asyncio.timeout(held_s):
                while (await receive())["type"] != "http.disconnect":
                    pass


async def _is_out_of_the_way(headers: Headers, receive: Receive) -> bool:
    """Read on over a body that is small and comes whatever is answered.

    Returns:
        Whether nothing of it is left. Else the answer ends the connection, and until
        then what has arrived would be held in memory, beside what uploads may.
    """
    if not announces_body(headers):
        return True
    declared = headers.get("content-length", "")[:20]
    if not declared.isdecimal() or int(declared) > _SMALL or "expect" in headers:
        return False
    while (await receive()).get("more_body", False):
        pass
    return True
