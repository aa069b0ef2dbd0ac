"""Probes: alive is constant, ready is a golden query that was answered."""

from typing import Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.service import Service

_METHODS: Final = ["GET", "HEAD"]
# Probes of load balancers often ask with HEAD; the server leaves the body out.

_ALIVE: Final = b'{"live":true}'


def health_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router = APIRouter()

    @router.api_route("/livez", methods=_METHODS)
    @router.api_route("/healthz", methods=_METHODS)
    async def livez() -> Response:
        return Response(_ALIVE, media_type="application/json")

    @router.api_route("/readyz", methods=_METHODS)
    async def readyz() -> Response:
        manifest = service.live.engine.bundle.manifest
        body = {"ready": True, "bundle": manifest.version}
        return Response(orjson.dumps(body), media_type="application/json")

    return router
