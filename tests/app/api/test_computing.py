"""Which requests are for the inference thread."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from nextvec.app.api.computing import ComputingRoutes


def routes() -> ComputingRoutes:
    router = APIRouter()

    @router.post("/told")
    async def told(_: Request) -> Response:
        return Response()

    @router.post("/told/{name}")
    async def named(name: str, _: Request) -> Response:
        return Response(name)

    @router.get("/only-read")
    async def only_read() -> Response:
        return Response()

    return ComputingRoutes([router])


@pytest.mark.parametrize(
    ("method", "path", "root", "found"),
    [
        ("POST", "/told", "", "/told"),
        ("POST", "/under/told", "/under", "/told"),
        ("POST", "/told/me", "", "/told/{name}"),
        ("POST", "/told/me/too", "", None),
        ("POST", "/told/", "", None),
        ("POST", "/only-read", "", None),
        ("GET", "/told", "", None),
    ],
)
def test_it_is_found_by_method_and_path(
    method: str, path: str, root: str, found: str | None
) -> None:
    scope = {"type": "http", "method": method, "path": path, "root_path": root}

    route = routes().find(scope)
    static = routes().find_static(scope)

    assert (None if route is None else route.path) == found
    assert (None if static is None else static.path) == (
        found if found == "/told" else None
    )


def test_what_is_no_request_is_none() -> None:
    assert routes().find({"type": "lifespan"}) is None
    assert routes().find_static({"type": "lifespan"}) is None


def test_an_endpoint_that_needs_the_framework_is_refused() -> None:
    with_header, with_dependency = APIRouter(), APIRouter()

    @with_header.post("/header")
    async def read(_: Request, key: Annotated[str, Header()]) -> Response:
        return Response(key)

    @with_dependency.post("/dependency", dependencies=[Depends(routes)])
    async def ask(_: Request) -> Response:
        return Response()

    for router in (with_header, with_dependency):
        with pytest.raises(TypeError, match="takes the request alone"):
            ComputingRoutes([router])
