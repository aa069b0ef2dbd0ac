"""The app, made from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.middleware import BodyLimit, RequestLog, request_id
from app.api.openapi import openapi_document
from app.api.routes.health import health_router
from app.api.routes.info import info_router
from app.api.routes.metrics import metrics_router
from app.api.routes.pages import pages_router
from app.api.routes.predict import predict_router
from app.inference.batcher import BatcherStoppedError
from app.service import Service
from app.settings import Settings
from app.wire.problems import (
    INVALID_OPTION,
    NOT_READY,
    ProblemError,
    cut,
    problem_response,
    type_of_status,
)


def create_app(settings: Settings) -> FastAPI:
    """Make the app; the live bundle is loaded when it starts, not here."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        service.stop()

    app = FastAPI(
        title="nextvec",
        version=version("nextvec"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # a path with a slash too many is a 404, not a redirect that loses the body
        redirect_slashes=False,
    )
    app.state.service = service
    for router in (
        predict_router(service),
        metrics_router(service),
        health_router(service),
        info_router(service),
        pages_router(openapi_document(settings)),
    ):
        app.include_router(router)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(BatcherStoppedError, _stopped)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    # the last one added is the outermost
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    app.add_middleware(RequestLog, metrics=service.metrics)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise error
    return problem_response(
        error.type,
        error.detail,
        headers=error.headers,
        request_id=request_id(request.scope),
    )


async def _stopped(request: Request, error: Exception) -> Response:
    return problem_response(
        NOT_READY,
        str(error),
        headers={"Retry-After": "1"},
        request_id=request_id(request.scope),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """Give the framework's own errors the body that all others have."""
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(
        type_of_status(error.status_code),
        f"{cut(request.method)} {cut(request.url.path)}: {error.detail}",
        status=error.status_code,
        headers=error.headers,
        request_id=request_id(request.scope),
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    places = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
    return problem_response(
        INVALID_OPTION, "; ".join(places), request_id=request_id(request.scope)
    )
