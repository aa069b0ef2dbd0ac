"""The app, made from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from operator import attrgetter

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.middleware import BodyLimit, RequestLog, request_id
from app.api.openapi import add_problem
from app.api.routes.health import health_router
from app.api.routes.info import info_router
from app.api.routes.metrics import metrics_router
from app.api.routes.pages import pages_router
from app.api.routes.predict import predict_router
from app.inference.batcher import BatcherStoppedError
from app.service import Service
from app.settings import Settings
from app.wire.problems import (
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
        description="Given up to 100 embedding vectors in order, predict the next one "
        "and return the real things nearest to it.",
        # the operations are called as their functions are
        generate_unique_id_function=attrgetter("name"),
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
        pages_router(),
    ):
        app.include_router(router)
    # FastAPI keeps the document that it makes here
    add_problem(app.openapi())
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(BatcherStoppedError, _stopped)
    app.add_exception_handler(HTTPException, _http_error)
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
