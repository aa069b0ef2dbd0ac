"""Changing what is live over HTTP; for operators alone.

`nextvec.app.api.guard` lets nobody come to these without a key of the scope admin, and
answers as if they were not there while there are no keys.
"""

import time
from dataclasses import dataclass

import orjson
from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from nextvec.app.api.media import JSON, media_type, refuse_other
from nextvec.app.api.openapi import problems
from nextvec.app.api.responses import json_response
from nextvec.app.api.routes.info import Refused, refused
from nextvec.app.errors import MalformedBodyError
from nextvec.app.release.listing import ListedBundle, list_bundles
from nextvec.app.release.swapping import Swap
from nextvec.app.service import Live, Service
from nextvec.app.steps import in_turns
from nextvec.app.wire.names import refuse_twice
from nextvec.app.wire.problems import (
    BODY_TOO_LARGE,
    BUNDLE_REFUSED,
    MALFORMED_BODY,
    NOT_READY,
    OVERLOADED,
    UNKNOWN_BUNDLE,
    UNSUPPORTED_MEDIA_TYPE,
)
from nextvec.app.wire.quoting import cut
from nextvec.training.checked import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Which bundle is to go live."""

    bundle: str
    """Its name."""

    require_go: bool = False
    """Whether to refuse one whose readiness is not GO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """What answers now, and is live on disk."""

    serving: str
    kept: str | None
    """What answered before, if it is kept for a rollback at once."""

    was_warm: bool
    """Whether it was in memory already."""

    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleList:
    """All bundles, and which of them answers."""

    serving: str | None
    live: str | None
    """What LIVE names."""

    previous: str | None
    """What a rollback goes back to."""

    kept: str | None
    """What is in memory beside what answers."""

    refused: Refused | None
    bundles: list[ListedBundle]


def admin_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router = APIRouter(prefix="/admin")
    body = TypeAdapter(Promotion).json_schema()

    @router.get(
        "/bundles",
        name="list_bundles",
        summary="All bundles, and which of them answers",
        response_model=BundleList,
        responses=problems(NOT_READY),
    )
    async def bundles() -> Response:
        known = service.bundles
        listed = await service.loader.call(lambda: list_bundles(known.registry))
        pointer = known.pointer
        return json_response(
            BundleList(
                serving=known.name,
                live=None if pointer is None else pointer.version,
                previous=None if pointer is None else pointer.previous,
                kept=known.kept,
                refused=refused(known.refusal),
                bundles=listed,
            )
        )

    @router.post(
        "/promote",
        summary="Load a bundle aside, try it, and let it answer",
        response_model=Swapped,
        responses=problems(
            MALFORMED_BODY,
            UNKNOWN_BUNDLE,
            BUNDLE_REFUSED,
            BODY_TOO_LARGE,
            UNSUPPORTED_MEDIA_TYPE,
            NOT_READY,
            OVERLOADED,
        ),
        openapi_extra={
            "requestBody": {"required": True, "content": {JSON: {"schema": body}}}
        },
    )
    async def promote(request: Request) -> Response:
        began, asked = time.perf_counter(), await _promotion(request)
        swap = await service.bundles.promote(asked.bundle, require_go=asked.require_go)
        return _swapped(service, swap, began)

    @router.post(
        "/rollback",
        summary="Let the bundle answer that was live before",
        response_model=Swapped,
        responses=problems(UNKNOWN_BUNDLE, BUNDLE_REFUSED, NOT_READY),
    )
    async def rollback() -> Response:
        began = time.perf_counter()
        return _swapped(service, await service.bundles.rollback(), began)

    return router


async def _promotion(request: Request) -> Promotion:
    """Read what is to be promoted.

    Raises:
        UnsupportedBodyError: it is no JSON.
        MalformedBodyError: it cannot be read, names no bundle, or has a name twice.
    """
    refuse_other(media_type(request.headers), JSON)
    body = await request.body()
    try:
        asked = from_json(Promotion, body)
    except ValueError as error:
        detail = f'expected {{"bundle": name}}: {cut(str(error))}'
        raise MalformedBodyError(detail) from error
    await in_turns(refuse_twice(body, orjson.loads(body)))
    return asked


def _swapped(service: Service, swap: Swap[Live], began: float) -> Response:
    return json_response(
        Swapped(
            serving=swap.name,
            kept=service.bundles.kept,
            was_warm=swap.was_warm,
            took_s=round(time.perf_counter() - began, 3),
        )
    )
