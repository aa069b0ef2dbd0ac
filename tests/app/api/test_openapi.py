"""The OpenAPI document tells the truth about the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.app import create_app
from app.api.openapi import openapi_document
from app.api.routes.health import health_router
from app.api.routes.info import info_router
from app.api.routes.metrics import metrics_router
from app.api.routes.pages import pages_router
from app.api.routes.predict import predict_router
from app.service import Service
from app.settings import Settings
from app.wire.problems import PROBLEM_TYPES

if TYPE_CHECKING:
    from tests.app.conftest import World

_CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture
def app_settings(world: World) -> Settings:
    return Settings(bundles=world.bundles, threads=1)


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    described = {
        (path, method)
        for path, methods in openapi_document(Settings())["paths"].items()
        for method in methods
    }
    service = Service(Settings())
    routes = {
        (route.path, method.lower())
        for router in (
            predict_router(service),
            metrics_router(service),
            health_router(service),
            info_router(service),
            pages_router({}),
        )
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
        # HEAD is GET without its body, and goes without saying
        if method != "HEAD"
        if route.path != "/openapi.json" and not route.path.startswith("/docs")
    }

    assert described == routes


def test_every_problem_type_has_an_example_or_can_happen_anywhere() -> None:
    text = str(openapi_document(Settings()))

    for kind in PROBLEM_TYPES:
        assert kind.uri in text


def test_the_limits_are_those_of_the_settings() -> None:
    document = openapi_document(Settings(max_k=77, max_context=9))

    operation = document["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["k"]["maximum"] == 77
    assert body["properties"]["context"]["maxItems"] == 9


@pytest.mark.slow
@pytest.mark.parametrize("path", list(openapi_document(Settings())["paths"]))
def test_the_service_does_what_it_says(app_settings: Settings, path: str) -> None:
    load_all_checks()
    app = create_app(app_settings)
    schema = schemathesis.openapi.from_dict(openapi_document(app_settings))
    schema.app = app
    operation = schema[path]["POST" if path == "/predict" else "GET"]
    client: Any = get_client(app)  # type: ignore[arg-type]  # FastAPI is an ASGI app
    with client as session:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=100 if path == "/predict" else 15,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        )
        def conforms(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(session=session, checks=_CHECKS)

        conforms()
