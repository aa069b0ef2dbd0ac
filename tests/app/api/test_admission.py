"""Who is turned away while there is too much to do, and how."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.api.timeouts import TIMEOUT
from nextvec.app.arrival import Arrival, Visitor, announce_arrival
from nextvec.app.errors import OverloadedError
from nextvec.app.service import Service
from tests.app.asking import service_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nextvec.app.settings import Settings


@pytest.fixture
def busy(settings: Settings) -> Iterator[TestClient]:
    """Return a client of a service that has no room for any request."""
    with TestClient(create_app(settings)) as client:
        fill(client)
        yield client


def fill(client: TestClient) -> None:
    """Leave no room for any request."""
    service_of(client).batcher._line._max_queue = 0  # noqa: SLF001 - as if it were full


class Asked:
    """One request, straight to the app, and what came of it."""

    def __init__(self, **headers: str) -> None:
        self.headers = {"content-type": "application/json"} | headers
        self.arrival = Arrival()
        self.pieces = [b'{"ids": ', b'["doc1#0"]}']
        self.read = 0
        self.leaves = False
        self.sent: list[dict[str, Any]] = []
        self.path = "/predict"

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.read == len(self.pieces):
            if not self.leaves:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        piece = self.pieces[self.read]
        self.read += 1
        has_more = self.read < len(self.pieces)
        return {"type": "http.request", "body": piece, "more_body": has_more}

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.sent.append(message)

    def of(self, client: TestClient) -> Asked:
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in self.headers.items()
            ],
        }
        announce_arrival(scope, self.arrival)
        assert client.portal is not None
        client.portal.call(self._ask, client.app, scope)
        return self

    async def _ask(self, app: Any, scope: dict[str, Any]) -> None:  # noqa: ANN401 - an ASGI app
        await app(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        problem: dict[str, Any] = orjson.loads(self.sent[1]["body"])
        return problem


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/predict", "/predict"),
        ("/predict/batch", "/predict/batch"),
        ("/sessions", "/sessions"),
        ("/sessions/abc", "/sessions/{session}"),
        ("/step", "/step"),
    ],
)
def test_it_is_a_problem_counted_for_its_route(
    busy: TestClient, path: str, route: str
) -> None:
    answer = busy.post(path, json={"ids": ["doc1#0"]}, headers={"X-Request-ID": "me"})
    text = busy.get("/metrics").text

    assert answer.status_code == 503
    assert answer.json()["type"].endswith("overloaded")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "me"
    assert answer.headers["retry-after"] == "1"
    counted = f'nextvec_requests_total{{method="POST",route="{route}",status="503"}}'
    assert f"{counted} 1.0" in text
    assert 'nextvec_dropped_total{reason="overloaded"} 1.0' in text


@pytest.mark.parametrize("path", ["/sessions/", "/sessions/a/b", "/predict/x", "/"])
def test_other_paths_are_no_matter_of_it(busy: TestClient, path: str) -> None:
    assert busy.post(path).status_code in {404, 405}


def test_what_only_reads_is_let_in(busy: TestClient) -> None:
    assert busy.get("/info").status_code == 200
    assert busy.get("/predict").status_code == 405


def test_a_header_that_is_wrong_is_told_first(busy: TestClient) -> None:
    answer = busy.post("/predict", json={"ids": ["doc1#0"]}, headers={TIMEOUT: "soon"})

    assert answer.status_code == 400


def test_a_small_body_is_read_so_that_the_connection_stays(busy: TestClient) -> None:
    asked = Asked(content_length="20").of(busy)

    assert (asked.status, asked.read) == (503, 2)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_length": "many"},
        {"content_length": str(1 << 20)},
        {"content_length": "20", "expect": "100-continue"},
    ],
)
def test_no_other_body_is_read(busy: TestClient, headers: dict[str, str]) -> None:
    asked = Asked(**headers).of(busy)

    assert (asked.status, asked.read) == (503, 0)


def test_who_was_read_too_late_is_told_so(client: TestClient) -> None:
    asked = Asked(x_request_timeout_ms="100")
    asked.arrival.at = time.perf_counter() - 5

    asked.of(client)

    assert asked.status == 503
    assert "its time was over when it was read" in asked.problem["detail"]
    text = client.get("/metrics").text
    assert 'nextvec_dropped_total{reason="overloaded"} 1.0' in text


class TestHoldingBack:
    def test_who_comes_for_the_first_time_is_told_at_once(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)

        asked = Asked().of(busy)

        assert asked.arrival.visitor.told_until > time.perf_counter()
        assert not held_ms(caplog)

    def test_who_comes_back_too_early_waits_as_long_as_for_an_answer(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asked = Asked(x_request_timeout_ms="80")
        asked.arrival.visitor = Visitor(told_until=math.inf)

        asked.of(busy)

        assert asked.status == 503
        (held,) = held_ms(caplog)
        assert 0 < held <= 80
        assert 'nextvec_refused_total{reason="early"} 1.0' in busy.get("/metrics").text

    def test_so_does_who_was_told_by_the_route(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: Service, left_s: float) -> None:
            msg = f"no room within {left_s} s"
            raise OverloadedError(msg)

        asked = Asked(x_request_timeout_ms="80")
        # let in at first, and refused once its body was there
        monkeypatch.setattr(Service, "entering", refuse)

        assert asked.of(client).status == 503
        assert asked.arrival.visitor.told_until > time.perf_counter()

    def test_whose_body_would_be_held_with_him_is_told_at_once(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asked = Asked(content_length=str(1 << 20))
        asked.arrival.visitor = Visitor(told_until=math.inf)

        assert asked.of(busy).status == 503
        assert not held_ms(caplog)

    def test_but_no_longer_than_it_was_told(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asked = Asked()
        asked.arrival.visitor = Visitor(told_until=time.perf_counter() + 0.2)

        asked.of(busy)

        (held,) = held_ms(caplog)
        assert 0 < held <= 200

    def test_who_comes_too_early_again_is_held_for_longer(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asked = Asked(x_request_timeout_ms="50")
        asked.arrival.visitor = Visitor(told_until=math.inf, num_early=1)

        asked.of(busy)

        (held,) = held_ms(caplog)
        assert 50 < held <= 100
        assert asked.arrival.visitor.num_early == 2

    def test_but_no_longer_than_any_request_may_wait(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        hasty = settings.model_copy(update={"request_timeout_s": 0.1})

        with TestClient(create_app(hasty)) as client:
            fill(client)
            asked = Asked()
            asked.arrival.visitor = Visitor(told_until=math.inf, num_early=9)
            asked.of(client)

        (held,) = held_ms(caplog)
        assert held <= 100

    def test_who_is_read_too_late_to_be_held_is_counted(self, busy: TestClient) -> None:
        asked = Asked(x_request_timeout_ms="1")
        asked.arrival.at = time.perf_counter() - 5
        asked.arrival.visitor = Visitor(told_until=math.inf)

        asked.of(busy)

        assert asked.arrival.visitor.num_early == 1
        assert 'nextvec_refused_total{reason="early"} 1.0' in busy.get("/metrics").text

    def test_nor_once_he_has_left(self, busy: TestClient) -> None:
        asked = Asked()
        asked.arrival.visitor = Visitor(told_until=math.inf)
        asked.leaves = True
        began = time.perf_counter()

        asked.of(busy)

        # else the ten seconds that a request has
        assert time.perf_counter() - began < 5

    def test_of_many_one_line_tells(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)

        for _ in range(3):
            asked = Asked(x_request_timeout_ms="1000")
            asked.arrival.visitor = Visitor(told_until=math.inf)
            asked.leaves = True
            asked.of(busy)

        (line,) = lines_with(caplog, "held_ms")
        assert line["times"] == 1
        assert 'nextvec_refused_total{reason="early"} 3.0' in busy.get("/metrics").text

    def test_another_client_of_the_same_proxy_is_told_at_once(
        self, busy: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        asked = Asked(x_request_timeout_ms="80")
        asked.arrival.visitor = Visitor(told="10.0.0.7", told_until=math.inf)

        assert asked.of(busy).status == 503
        assert not held_ms(caplog)

    def test_who_can_be_answered_is_whenever_he_comes(self, client: TestClient) -> None:
        asked = Asked()
        asked.arrival.visitor = Visitor(told_until=math.inf)

        assert asked.of(client).status == 200


def lines_with(caplog: pytest.LogCaptureFixture, field: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if field in vars(record)]


def held_ms(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [line["held_ms"] for line in lines_with(caplog, "held_ms")]
