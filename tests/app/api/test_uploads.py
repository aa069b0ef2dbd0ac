"""All bodies together, and what happens to an upload and a validation at the end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from nextvec.app.api import uploads as trimming
from nextvec.app.api.app import create_app
from nextvec.app.api.uploads import Uploads
from nextvec.app.settings import Settings
from tests.app.asking import OCTETS, assert_problem, service_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.app.conftest import World


def test_what_does_not_fit_beside_the_others_is_told_to_wait(world: World) -> None:
    """One upload holds the budget, another one comes."""
    settings = Settings(
        bundles=world.bundles, max_body_bytes=1000, max_upload_bytes=1000, threads=1
    )
    with TestClient(create_app(settings)) as client:
        assert client.portal is not None
        held, leave = threading.Event(), asyncio.Event()
        client.portal.start_task_soon(_hold, client.app, 900, held, leave)
        assert held.wait(10)

        refused = client.post("/predict", content=bytes(200), headers=OCTETS)
        beside = client.get("/metrics").text
        client.portal.call(leave.set)
        taken = client.post("/predict", content=bytes(960), headers=OCTETS)
        after = client.get("/metrics").text

    assert_problem(refused, "overloaded", "uploads hold 900 bytes already, of 1000")
    assert refused.headers["retry-after"] == "1"
    assert "nextvec_upload_bytes 900.0" in beside
    assert 'nextvec_refused_total{reason="uploads"} 1.0' in beside
    # zeros are no context: it was read
    assert_problem(taken, "invalid-context")
    assert "nextvec_upload_bytes 0.0" in after


async def _hold(
    app: Any,  # noqa: ANN401 - an ASGI app
    number: int,
    held: threading.Event,
    leave: asyncio.Event,
) -> None:
    """Send a part of a body, and the rest of it never."""
    pieces: Iterator[bytes] = iter([bytes(number)])

    async def receive() -> dict[str, Any]:
        if piece := next(pieces, b""):
            return {"type": "http.request", "body": piece, "more_body": True}
        held.set()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"application/octet-stream")],
    }
    await app(scope, receive, send)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/sessions", "/step"])
def test_what_its_head_is_refused_for_is_not_read(
    client: TestClient, path: str
) -> None:
    sent: list[Any] = []

    async def never() -> Any:  # noqa: ANN401 - nothing at all
        pytest.fail("the body was asked for")

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"text/xml"), (b"content-length", b"8000000")],
    }
    assert client.portal is not None
    client.portal.call(client.app, scope, never, send)

    assert sent[0]["status"] == 415


def test_a_session_without_a_body_needs_no_type(client: TestClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}

    assert client.post("/sessions", content=b"", headers=form).status_code == 201


def test_one_body_always_fits(world: World) -> None:
    settings = Settings(bundles=world.bundles, max_upload_bytes=1, threads=1)

    with TestClient(create_app(settings)) as client:
        answer = client.post("/predict", content=bytes(320), headers=OCTETS)

    assert_problem(answer, "invalid-context")


@pytest.mark.parametrize(("most", "trims"), [(1 << 20, 0), (100 << 20, 1)])
def test_much_memory_goes_back_to_the_system_once_nobody_sends(
    monkeypatch: pytest.MonkeyPatch, most: int, trims: int
) -> None:
    trimmed: list[bool] = []
    monkeypatch.setattr(trimming, "_trim", lambda: trimmed.append(True))
    budget = Uploads(limit=200 << 20)

    assert budget.take(most)
    assert budget.take(1)
    budget.give(most)
    assert trimmed == []
    budget.give(1)

    assert len(trimmed) == trims


def test_the_c_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Glibc:
        malloc_trim = asked.append

    libraries: list[object] = [Glibc, object]
    monkeypatch.setattr("ctypes.CDLL", lambda _: libraries.pop(0))

    trimming._trim()  # noqa: SLF001
    trimming._trim()  # noqa: SLF001 - another library, which has none

    assert asked == [0]


def test_a_validation_in_the_middle_ends_at_once_and_says_why(world: World) -> None:
    settings = Settings(bundles=world.bundles, threads=1)
    with TestClient(create_app(settings)) as client:
        service = service_of(client)
        entered, leave = threading.Event(), threading.Event()

        def occupy() -> None:
            entered.set()
            leave.wait(10)

        async def call() -> None:
            await service.batcher.call(occupy)

        async def ask() -> None:
            await service.live.hitk.encoded(["index"], [5], refresh=False)

        assert client.portal is not None
        client.portal.start_task_soon(call)
        assert entered.wait(10)
        asked = client.portal.start_task_soon(ask)
        client.portal.call(asyncio.sleep, 0.05)

        client.portal.call(service.drain)

        with pytest.raises(Exception, match="shutting down"):
            asked.result(10)
        leave.set()
        assert_problem(client.get("/readyz"), "not-ready", "shutting down")
        assert_problem(client.get("/metrics/hitk"), "not-ready", "shutting down")
        assert client.get("/livez").status_code == 200
        ids = list(world.corpus.ids[:5])
        assert client.post("/predict", json={"ids": ids}).status_code == 200


def test_what_is_measured_is_answered_to_the_end(world: World) -> None:
    settings = Settings(bundles=world.bundles, threads=1)
    with TestClient(create_app(settings)) as client:
        first = client.get("/metrics/hitk").json()

        assert client.portal is not None
        client.portal.call(service_of(client).drain)

        then = client.get("/metrics/hitk").json()
        assert then["age_s"] >= first["age_s"]
        assert then | {"age_s": first["age_s"]} == first
        assert_problem(client.get("/metrics/hitk?refresh=true"), "not-ready", "shut")
