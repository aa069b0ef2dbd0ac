"""Probes: alive is constant, ready is a golden query that was answered."""

from dataclasses import dataclass
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from nextvec.app.api.media import JSON
from nextvec.app.api.openapi import problems
from nextvec.app.errors import NotReadyError
from nextvec.app.service import Service
from nextvec.app.wire.problems import NOT_READY

_METHODS: Final = ["GET", "HEAD"]
# Probes of load balancers often ask with HEAD; the server leaves the body out.


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The process answers."""

    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A bundle is live; which one is for `/info` to tell."""

    ready: bool


_ALIVE: Final = orjson.dumps(Live(live=True))
_READY: Final = orjson.dumps(Ready(ready=True))


def health_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router = APIRouter()

    # the lowest decorator comes first and answers, HEAD as well; those above it are for
    # the document, where FastAPI has one operation id for both methods of a route
    @router.get("/livez", summary="Is the process alive?", response_model=Live)
    @router.get(
        "/healthz",
        name="healthz",
        summary="The same as /livez",
        response_model=Live,
    )
    @router.api_route("/livez", methods=_METHODS, include_in_schema=False)
    @router.api_route("/healthz", methods=_METHODS, include_in_schema=False)
    async def livez() -> Response:
        return Response(_ALIVE, media_type=JSON)

    @router.get(
        "/readyz",
        summary="Can it answer, and if not, why?",
        response_model=Ready,
        responses=problems(NOT_READY),
    )
    @router.api_route("/readyz", methods=_METHODS, include_in_schema=False)
    async def readyz() -> Response:
        if service.is_draining:
            detail = "the service is shutting down"
            raise NotReadyError(detail)
        _ = service.live
        return Response(_READY, media_type=JSON)

    return router
