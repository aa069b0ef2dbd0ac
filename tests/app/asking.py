"""How the tests ask a running service, and what a problem looks like."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nextvec.app.wire.problems import MEDIA_TYPE, PROBLEM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient
    from httpx2 import Response

    from nextvec.app.service import Service

OCTETS = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}


def service_of(client: TestClient) -> Service:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service


def assert_problem(answer: Response, slug: str, words: str = "") -> None:
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    kind = next(kind for kind in PROBLEM_TYPES if kind.slug == slug)
    assert answer.status_code == body["status"] == kind.status
    assert (body["type"], body["title"]) == (kind.uri, kind.title)
    assert words in body["detail"]
    assert body["error"] == f"{kind.title}: {body['detail']}"
    assert body["request_id"] == answer.headers["x-request-id"]


def ask(client: TestClient, **fields: object) -> dict[str, Any]:
    answer = client.post("/predict", json=fields)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


@contextmanager
def held(client: TestClient) -> Iterator[threading.Event]:
    """Hold the inference thread until the event, or the end of the block."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        leave.wait(10)

    async def occupy() -> None:
        await service_of(client).batcher.call(hold)

    assert client.portal is not None
    task = client.portal.start_task_soon(occupy)
    assert entered.wait(10)
    try:
        yield leave
    finally:
        leave.set()
        task.result(10)
