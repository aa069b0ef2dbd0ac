"""The app, made from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from operator import attrgetter

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from nextvec.app.access.key_ring import KeyRing
from nextvec.app.api.admission import Admission
from nextvec.app.api.computing import ComputingRoutes
from nextvec.app.api.cors import add_cors
from nextvec.app.api.direct import Direct
from nextvec.app.api.document import describe
from nextvec.app.api.error_handlers import add_error_handlers
from nextvec.app.api.guard import Guard, announce
from nextvec.app.api.middleware import BodyLimit, RequestLog
from nextvec.app.api.routes.admin import admin_router
from nextvec.app.api.routes.health import health_router
from nextvec.app.api.routes.info import info_router
from nextvec.app.api.routes.metrics import metrics_router
from nextvec.app.api.routes.pages import pages_router
from nextvec.app.api.routes.predict import predict_router
from nextvec.app.api.routes.sessions import sessions_router, step_router
from nextvec.app.api.uploads import Uploads
from nextvec.app.service import Service
from nextvec.app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make the app; the live bundle is loaded when it starts, not here.

    The routes that change what is live are there as soon as there are keys.

    Raises:
        KeyFileError: there are keys that cannot be used, or none where there must be.
    """
    service = Service(settings)
    ring = KeyRing(settings.keys_file, is_required=settings.keys is not None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        announce(ring, settings)
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
    computing = predict_router(service), sessions_router(service), step_router(service)
    for router in (
        *computing,
        metrics_router(service),
        health_router(service),
        info_router(service),
        pages_router(),
    ):
        app.include_router(router)
    without_keys = list(app.routes)
    # nobody comes to these without a key
    app.include_router(admin_router(service))
    describe(app, ring, without_keys=without_keys)
    add_error_handlers(
        app,
        retry_after_s=lambda: service.retry_after_s,
        on_gone=service.metrics.dropped.labels("disconnected").inc,
    )
    # the last one added is the outermost
    routes = ComputingRoutes(computing)
    app.add_middleware(Direct, routes=routes)
    app.add_middleware(ExceptionMiddleware, handlers=app.exception_handlers)
    uploads = Uploads(max(settings.max_upload_bytes, settings.max_body_bytes))
    service.metrics.upload_bytes.set_function(lambda: uploads.held)
    app.add_middleware(
        BodyLimit,
        max_body_bytes=settings.max_body_bytes,
        uploads=uploads,
        on_refused=lambda reason: service.metrics.refused.labels(reason).inc(),
    )
    app.add_middleware(Admission, service=service, routes=routes)
    app.add_middleware(Guard, ring=ring, settings=settings, metrics=service.metrics)
    # outside of the guard: a preflight has no key, and pages may read a refusal
    if settings.origins:
        add_cors(app, settings.origins)
    if settings.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.proxies)
    app.add_middleware(RequestLog, metrics=service.metrics)
    return app
