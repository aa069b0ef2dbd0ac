"""What holds for every route."""

import inspect

from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from nextvec.app.api.routes.health import health_router
from nextvec.app.api.routes.info import info_router
from nextvec.app.api.routes.metrics import metrics_router
from nextvec.app.api.routes.pages import pages_router
from nextvec.app.api.routes.predict import predict_router
from nextvec.app.service import Service
from nextvec.app.settings import Settings


def _routes() -> list[APIRoute]:
    service = Service(Settings())
    routers = (
        predict_router(service),
        metrics_router(service),
        health_router(service),
        info_router(service),
        pages_router(),
    )
    routes = [route for router in routers for route in router.routes]
    return [route for route in routes if isinstance(route, APIRoute)]


def test_no_route_is_computed_in_a_thread_of_the_framework() -> None:
    for route in _routes():
        assert inspect.iscoroutinefunction(route.endpoint)


def test_no_route_has_the_framework_validate_anything() -> None:
    # so that none can raise its RequestValidationError, which is no problem of ours
    for route in _routes():
        assert not get_flat_params(route.dependant)
        assert route.body_field is None
