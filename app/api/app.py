"""The app, made from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from operator import attrgetter

from fastapi import FastAPI

from nextvec.app.api.error_handlers import add_error_handlers
from nextvec.app.api.middleware import BodyLimit, RequestLog
from nextvec.app.api.openapi import add_problem
from nextvec.app.api.routes.admin import admin_router
from nextvec.app.api.routes.health import health_router
from nextvec.app.api.routes.info import info_router
from nextvec.app.api.routes.metrics import metrics_router
from nextvec.app.api.routes.pages import pages_router
from nextvec.app.api.routes.predict import predict_router
from nextvec.app.api.routes.sessions import sessions_router, step_router
from nextvec.app.service import Service
from nextvec.app.settings import Settings


def create_app(settings: Settings, *, admin: bool = False) -> FastAPI:
    """Make the app; the live bundle is loaded when it starts, not here.

    Args:
        settings: what an operator chose.
        admin: whether there are routes that change what is live; whoever asks for them
            guards every path under ``/admin/``.
    """
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
        sessions_router(service),
        step_router(service),
        metrics_router(service),
        health_router(service),
        info_router(service),
        pages_router(),
        *([admin_router(service)] if admin else []),
    ):
        app.include_router(router)
    # FastAPI keeps the document that it makes here
    add_problem(app.openapi())
    add_error_handlers(
        app,
        retry_after_s=settings.retry_after_s,
        on_gone=service.metrics.dropped.labels("disconnected").inc,
    )
    # the last one added is the outermost
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    app.add_middleware(RequestLog, metrics=service.metrics)
    return app
