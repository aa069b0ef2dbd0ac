"""How long an answer may take, and what a client is told that has to wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.api.timeouts import TIMEOUT
from nextvec.app.inference.batcher import Batcher
from nextvec.app.settings import Settings
from tests.app.asking import assert_problem, held, service_of

if TYPE_CHECKING:
    from tests.app.conftest import World


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/predict", ["doc1#0"]),
        ("/predict/batch", [["doc1#0"], ["doc1#1"]]),
        ("/sessions", ["doc1#0"]),
        ("/sessions/{}", ["doc1#0"]),
        ("/step", ["doc1#0"]),
    ],
)
def test_an_answer_that_took_longer_than_a_request_allows_is_a_504(
    client: TestClient, path: str, ids: list[Any]
) -> None:
    name = client.post("/sessions").json()["session"]

    with held(client):
        late = client.post(
            path.format(name), json={"ids": ids}, headers={TIMEOUT: "50"}
        )

    assert_problem(late, "deadline-exceeded", "expected an answer in 0.05 s")
    assert service_of(client).batcher.depth == 0


def test_no_request_has_longer_than_the_setting(
    world: World, context: list[str]
) -> None:
    settings = Settings(bundles=world.bundles, threads=1, request_timeout_s=0.05)

    with TestClient(create_app(settings)) as client, held(client):
        late = client.post(
            "/predict", json={"ids": context}, headers={TIMEOUT: "999999999"}
        )

    assert_problem(late, "deadline-exceeded", "expected an answer in 0.05 s")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/sessions", "/step"])
@pytest.mark.parametrize(
    "value", ["", "0", "000", "-1", "+1", "1.5", "1e3", "1 s", "soon", "9" * 10]
)
def test_a_timeout_that_is_none_is_refused(
    client: TestClient, path: str, value: str
) -> None:
    answer = client.post(path, json={"ids": ["doc1#0"]}, headers={TIMEOUT: value})

    assert_problem(answer, "bad-request", f"{TIMEOUT}: expected a whole number of")


def test_two_timeouts_are_refused(client: TestClient) -> None:
    headers = [(TIMEOUT, "10"), (TIMEOUT, "20")]

    answer = client.post("/predict", json={"ids": ["doc1#0"]}, headers=headers)

    assert_problem(answer, "bad-request", "got '10, 20'")


def test_a_report_that_takes_too_long_goes_on_without_who_asked(
    settings: Settings,
) -> None:
    with TestClient(create_app(settings)) as client:
        with held(client):
            late = client.get("/metrics/hitk", headers={TIMEOUT: "50"})
        there = client.get("/metrics/hitk?refresh=false", headers={TIMEOUT: "60000"})
        bad = client.get("/metrics/hitk", headers={TIMEOUT: "x"})

        assert_problem(late, "deadline-exceeded", "to end in 0.05 s; it goes on")
        assert there.status_code == 200
        # the run of who asked first, and no second one
        runs = service_of(client).live.hitk
        assert runs.num_runs == 1 + len(runs.pools)
        assert_problem(bad, "bad-request", TIMEOUT)


def test_what_cannot_be_done_in_time_is_refused_before_its_body_is_read(
    settings: Settings, context: list[str]
) -> None:
    statuses: list[int] = []
    with TestClient(create_app(settings)) as client:
        service = service_of(client)
        # answers take five seconds beside the queue, as it seems
        for _ in range(200):
            service.batcher.answered(0.0, 5.0)

        async def ask_while_another_is_decoded() -> None:
            with service.entering(9.0):
                statuses.append(await status_of(client, (TIMEOUT, "900")))

        alone = client.post("/predict", json={"ids": context}, headers={TIMEOUT: "900"})
        assert client.portal is not None
        client.portal.call(ask_while_another_is_decoded)
        text = client.get("/metrics").text

    # one that is alone is tried all the same
    assert alone.status_code == 200
    assert statuses == [503]
    assert 'nextvec_dropped_total{reason="overloaded"} 1.0' in text


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
def test_what_is_compressed_is_never_unpacked_nor_even_read(
    client: TestClient, coding: str
) -> None:
    assert client.portal is not None

    status = client.portal.call(status_of, client, ("Content-Encoding", coding))

    assert status == 415


async def status_of(client: TestClient, header: tuple[str, str]) -> int:
    """Ask with one header more, and a body that must not be read."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        msg = "the body was read"
        raise AssertionError(msg)

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (header[0].lower().encode(), header[1].encode()),
        ],
    }
    await client.app(scope, receive, send)  # type: ignore[arg-type]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("wait_s", "told"), [(0.0, "2"), (1.9, "2"), (2.1, "3"), (7.0, "7")]
)
def test_who_is_refused_is_told_to_wait_until_what_waits_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch, wait_s: float, told: str
) -> None:
    monkeypatch.setattr(Batcher, "wait_s", property(lambda _: wait_s))
    settings = Settings(
        bundles=world.bundles, threads=1, max_queue=1, max_contexts=1, retry_after_s=2
    )

    with TestClient(create_app(settings)) as client:
        assert client.portal is not None
        client.portal.call(service_of(client).batcher.stop)
        refused = client.post("/predict", json={"ids": ["doc1#0"]})

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == told
