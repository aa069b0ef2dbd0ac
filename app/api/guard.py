"""At the door: who may come in, and how often, before anything of a body is read.

Pure ASGI, as all that stands around the app.
"""

import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nextvec.app.access.address import UNKNOWN, network_of
from nextvec.app.access.key import Key
from nextvec.app.access.key_ring import KeyRing
from nextvec.app.access.rate import Rate
from nextvec.app.api.error_handlers import error_response
from nextvec.app.api.middleware import log_fields, request_id
from nextvec.app.api.paths import PAGES, PROBES, is_admin, path_of, scope_of
from nextvec.app.api.responses import problem_response
from nextvec.app.errors import (
    AccessError,
    ForbiddenError,
    UnauthenticatedError,
)
from nextvec.app.metrics import Metrics
from nextvec.app.settings import Settings
from nextvec.app.wire.problems import NOT_FOUND, type_of_error
from nextvec.app.wire.quoting import cut

log = logging.getLogger(__name__)

_CHARGES: Final = "nextvec.charges"


class Guard:
    """Lets in who has a key, as often as may be.

    Where there are no keys, everyone is let in but under `ADMIN`.
    """

    def __init__(
        self, app: ASGIApp, *, ring: KeyRing, settings: Settings, metrics: Metrics
    ) -> None:
        """Wrap an app.

        Args:
            app: what is guarded.
            ring: the keys.
            settings: with the rates.
            metrics: told of each refusal.
        """
        self._app, self._ring, self._metrics = app, ring, metrics
        self._retry_after_s = settings.retry_after_s
        per_key, per_address = settings.rate_per_key, settings.rate_per_address
        self._per_key = None if per_key is None else Rate(per_key, of="key")
        self._per_address = (
            None if per_address is None else Rate(per_address, of="address")
        )
        self._refused = Rate(settings.rate_refused, of="address without a valid key")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if path in PROBES:
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        address = network_of(client[0]) if client else UNKNOWN
        try:
            key = self._admit(scope, path, address)
        except AccessError as error:
            await self._refuse(error, address, scope, receive, send)
            return
        if key is None and is_admin(path):
            # as if it were not there, until there are keys
            detail = f"{cut(scope['method'])} {cut(path)}: Not Found"
            answer = problem_response(NOT_FOUND, detail, request_id=request_id(scope))
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope, path: str, address: str) -> Key | None:
        """Count a request, find its key, and hold that against the path.

        Returns:
            The key; None where it needs none.

        Raises:
            AccessError: it may not come in, or not now.
        """
        charges = scope[_CHARGES] = []
        if self._per_address is not None:
            charges.append((self._per_address, address))
            self._per_address.take(address)
        if path in PAGES or self._ring.is_open:
            return None
        key = self._key(Headers(scope=scope), address)
        log_fields(scope)["key"] = key.name
        if self._per_key is not None:
            charges.append((self._per_key, key.id))
            self._per_key.take(key.id)
        needed = scope_of(path)
        if not key.allows(needed):
            detail = f"expected a key of the scope {needed}, got one of {key.scope}"
            raise ForbiddenError(detail)
        return key

    def _key(self, headers: Headers, address: str) -> Key:
        """Return the key of a request.

        Raises:
            UnauthenticatedError: it has none that is valid.
            RateLimitedError: the same, too often. A valid key is never refused for the
                failures of others with its address: keys cannot be guessed, so to lock
                an address would only help who wants to lock out a neighbor.
        """
        secret = _secret(headers)
        key = None if secret is None else self._ring.find(secret)
        if key is None:
            self._refused.take(address)
            found = "none" if secret is None else "one that is not valid"
            detail = (
                "expected a key, as Authorization: Bearer KEY or X-API-Key: KEY, got "
                + found
            )
            raise UnauthenticatedError(detail)
        return key

    async def _refuse(
        self,
        error: AccessError,
        address: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._metrics.refused.labels(type_of_error(error).slug).inc()
        # who it was: to be stopped further out
        log_fields(scope)["address"] = address
        answer = error_response(error, scope, retry_after_s=self._retry_after_s)
        await answer(scope, receive, send)


def charge_contexts(scope: Scope, contexts: int) -> None:
    """Count the contexts of a request, once they are known, as so many requests.

    One is counted at the door already.

    Raises:
        RateLimitedError: they are too many for its key or its address.
    """
    charges: list[tuple[Rate, str]] = scope.get(_CHARGES, [])
    for rate, client in charges if contexts > 1 else ():
        rate.take(client, contexts - 1, counted=1)


def announce(ring: KeyRing, settings: Settings) -> None:
    """Say in the log who may ask."""
    if not ring.is_open:
        log.info("a key is needed", extra={"keys": str(settings.keys_file)})
        return
    is_local = settings.host in {"127.0.0.1", "::1", "localhost"}
    log.log(
        logging.INFO if is_local else logging.WARNING,
        "everyone is answered: there are no keys",
        extra={"host": settings.host},
    )


def _secret(headers: Headers) -> str | None:
    """Return the key that a request shows; a bearer's token comes first."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key")
