"""Routes that are found by their path alone answer as if a router had found them."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextvec.app.api.computing import ComputingRoutes
from nextvec.app.api.direct import Direct


class Passed:
    """Notes what comes as far as the framework."""

    def __init__(self, app: ASGIApp, paths: list[str]) -> None:
        self._app, self._paths = app, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._paths.append(scope["path"])
        await self._app(scope, receive, send)


@pytest.fixture
def passed() -> list[str]:
    return []


@pytest.fixture
def client(passed: list[str]) -> TestClient:
    router, app = APIRouter(), FastAPI(redirect_slashes=False)

    @router.post("/told")
    async def told(request: Request) -> Response:
        path: str = request.scope["route"].path
        return PlainTextResponse(path + (await request.body()).decode())

    @router.post("/told/{name}")
    async def named(name: str, request: Request) -> Response:
        return PlainTextResponse(name + (await request.body()).decode())

    @router.get("/only-read")
    async def only_read() -> Response:
        return PlainTextResponse("read")

    app.include_router(router)
    app.add_middleware(Passed, paths=passed)
    app.add_middleware(Direct, routes=ComputingRoutes([router]))
    return TestClient(app)


def test_what_is_posted_goes_past_the_framework(
    client: TestClient, passed: list[str]
) -> None:
    assert client.post("/told", content="!").text == "/told!"
    assert passed == []


def test_so_it_does_below_a_mount(client: TestClient, passed: list[str]) -> None:
    below = TestClient(client.app, root_path="/under")

    assert below.post("/under/told").text == "/told"
    assert passed == []


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/told/me", 200, "me"),
        ("GET", "/only-read", 200, "read"),
        ("GET", "/told", 405, None),
        ("POST", "/only-read", 405, None),
        ("POST", "/told/", 404, None),
        ("POST", "/nowhere", 404, None),
    ],
)
def test_all_else_is_left_to_it(
    client: TestClient,
    passed: list[str],
    method: str,
    path: str,
    status: int,
    text: str | None,
) -> None:
    answer = client.request(method, path)

    assert passed == [path]
    assert answer.status_code == status
    assert text is None or answer.text == text
