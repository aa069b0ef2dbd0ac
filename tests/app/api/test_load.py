"""Too much load, or nothing to serve."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.checksums import sha256_of
from nextvec.app.settings import Settings
from nextvec.training.run_folder import CARD
from tests.app.asking import assert_problem, held, service_of
from tests.app.sealing import change, copied, fields_of, renamed

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from tests.app.conftest import World


def status_of(
    client: TestClient, messages: list[dict[str, Any]], path: str = "/predict"
) -> int:
    """Ask with these messages from the client, and return the status of the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    async def ask_and_leave() -> None:
        await client.app(scope, receive, send)  # type: ignore[arg-type]

    assert client.portal is not None
    client.portal.call(ask_and_leave)
    return int(sent[0]["status"])


class TestLoad:
    @pytest.fixture
    def held(self, world: World) -> Iterator[tuple[TestClient, threading.Event]]:
        """A service with room for one, whose thread is held until the event."""
        settings = Settings(
            bundles=world.bundles, threads=1, max_queue=1, request_timeout_s=0.2
        )
        with TestClient(create_app(settings)) as client, held(client) as leave:
            yield client, leave

    def test_a_late_answer_is_a_504(
        self, held: tuple[TestClient, threading.Event], context: list[str]
    ) -> None:
        client, _ = held

        late = client.post("/predict", json={"ids": context})

        assert_problem(late, "deadline-exceeded", "expected an answer in 0.2 s")
        assert service_of(client).batcher.depth == 0
        assert (
            'nextvec_dropped_total{reason="deadline"} 1.0'
            in client.get("/metrics").text
        )

    def test_one_too_many_is_a_503_that_says_when_to_come_back(
        self, held: tuple[TestClient, threading.Event], context: list[str]
    ) -> None:
        client, leave = held
        with ThreadPoolExecutor(4) as callers:
            answers = list(
                callers.map(
                    lambda _: client.post("/predict", json={"ids": context}), range(4)
                )
            )
        leave.set()

        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        assert_problem(refused[0], "overloaded", "1 requests are waiting already")
        assert refused[0].headers["retry-after"] == "1"

    def test_a_client_that_leaves_is_not_computed_for(
        self, held: tuple[TestClient, threading.Event], context: list[str]
    ) -> None:
        client, _ = held
        body = json.dumps({"ids": context}).encode()

        status = status_of(
            client,
            [{"type": "http.request", "body": body}, {"type": "http.disconnect"}],
        )

        assert status == 499
        assert service_of(client).batcher.depth == 0

    @pytest.mark.parametrize("path", ["/sessions", "/step", "/sessions/{}"])
    def test_a_client_that_leaves_takes_no_step(
        self,
        held: tuple[TestClient, threading.Event],
        context: list[str],
        path: str,
    ) -> None:
        client, leave = held
        name = client.post("/sessions").json()["session"]
        body = json.dumps({"ids": context}).encode()

        for message in (
            {"type": "http.request", "body": body},
            {"type": "http.request", "body": body[:9], "more_body": True},
        ):
            messages = [message, {"type": "http.disconnect"}]
            assert status_of(client, messages, path.format(name)) == 499

        leave.set()
        assert service_of(client).batcher.depth == 0
        assert len(service_of(client).sessions) == 1
        assert client.get(f"/sessions/{name}").json()["num_vectors"] == 0

    def test_a_client_that_leaves_while_it_sends_is_no_error(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        part = {"type": "http.request", "body": b'{"ids": [', "more_body": True}

        with caplog.at_level(logging.INFO), TestClient(create_app(settings)) as client:
            status = status_of(client, [part, {"type": "http.disconnect"}])
            metrics = client.get("/metrics").text

        assert status == 499
        assert not [r for r in caplog.records if r.exc_info]
        assert 'method="POST",route="/predict",status="499"} 1.0' in metrics
        assert 'nextvec_dropped_total{reason="disconnected"} 1.0' in metrics


class TestNotReady:
    def client_of(self, bundles: Path) -> TestClient:
        return TestClient(create_app(Settings(bundles=bundles, threads=1)))

    def test_without_a_bundle_it_is_alive_and_not_ready(self, tmp_path: Path) -> None:
        with self.client_of(tmp_path) as client:
            assert client.get("/livez").status_code == 200
            assert client.get("/").status_code == 200
            for path in ("/readyz", "/info", "/metrics/hitk"):
                answer = client.get(path)
                assert_problem(answer, "not-ready", "no bundle has been promoted")
                assert answer.headers["retry-after"] == "1"
            predict = client.post("/predict", json={"ids": ["a"]})
            assert_problem(predict, "not-ready")
            assert "nextvec_ready 0.0" in client.get("/metrics").text

    def test_a_damaged_bundle_is_named_in_the_log_and_to_no_stranger(
        self, bundles: Path, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        (bundles / world.version / "vectors.npy").write_bytes(b"damaged")

        with self.client_of(bundles) as client:
            answers = [client.get(path) for path in ("/readyz", "/info", "/step")]
            answers.append(client.post("/predict", json={"ids": ["a"]}))

        assert_problem(answers[0], "not-ready", "cannot be used; the log says why")
        for answer in answers:
            assert world.version not in answer.text
            assert str(bundles) not in answer.text
        errors = [vars(r) for r in caplog.records if r.levelno == logging.ERROR]
        assert f"{world.version}/vectors.npy: damaged" in errors[0]["reason"]
        assert (errors[0]["bundle"], errors[0]["code"]) == (
            world.version,
            "bundle-refused",
        )

    def test_another_answer_to_the_golden_query_is_not_served(
        self, bundles: Path, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = bundles / world.version
        golden = fields_of(folder)["golden"]
        golden["prediction"][0] += 0.1
        change(folder, golden=golden)

        with self.client_of(bundles) as client:
            assert_problem(client.get("/readyz"), "not-ready", "cannot be used")
        assert "golden query" in vars(caplog.records[-1])["reason"]

    def test_whatever_is_in_a_bundle_does_not_take_it_down(
        self, bundles: Path, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = bundles / world.version
        card = json.loads((folder / CARD).read_bytes()) | {"corpus": "no object"}
        (folder / CARD).write_text(json.dumps(card))
        told = fields_of(folder)
        told["files"][CARD] = sha256_of(folder / CARD)
        told["sizes"][CARD] = (folder / CARD).stat().st_size
        folder = renamed(folder, files=told["files"], sizes=told["sizes"])
        settings = Settings(bundles=bundles, bundle=folder.name, threads=1)

        with TestClient(create_app(settings)) as client:
            assert_problem(client.get("/readyz"), "not-ready", "cannot be used")
        errors = [vars(r) for r in caplog.records if r.levelno == logging.ERROR]
        assert errors[0]["exc_info"]
        assert "cannot be loaded: AttributeError" in errors[-1]["reason"]

    def test_a_named_version_is_served_instead_of_the_live_one(
        self, bundles: Path, world: World
    ) -> None:
        second = copied(bundles / world.version, "second").name
        settings = Settings(bundles=bundles, bundle=second, threads=1)

        with TestClient(create_app(settings)) as client:
            assert client.get("/readyz").status_code == 200

    def test_a_service_that_stops_says_so_and_when_to_come_back(
        self, settings: Settings, context: list[str]
    ) -> None:
        patient = settings.model_copy(update={"retry_after_s": 7})
        with TestClient(create_app(patient)) as client:
            assert client.portal is not None
            client.portal.call(service_of(client).batcher.stop)
            for answer in (
                client.post("/predict", json={"ids": context}),
                client.get("/metrics/hitk"),
            ):
                assert_problem(answer, "not-ready", "is not running")
                assert answer.headers["retry-after"] == "7"
