"""Probes, pages, metrics, logs and the framework's own errors."""

from __future__ import annotations

import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from tests.app.asking import OCTETS, ask, assert_problem, held

if TYPE_CHECKING:
    from nextvec.app.settings import Settings
    from tests.app.conftest import World


class TestOperations:
    def test_probes_answer_when_a_bundle_is_live(
        self, client: TestClient, world: World
    ) -> None:
        assert client.get("/livez").json() == {"live": True}
        assert client.get("/healthz").json() == {"live": True}
        ready = client.get("/readyz")
        assert ready.json() == {"ready": True}
        assert world.version not in ready.text

    @pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
    def test_probes_answer_head_as_get_without_the_body(
        self, client: TestClient, path: str
    ) -> None:
        head, get = client.head(path), client.get(path)

        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length"):
            assert head.headers[name] == get.headers[name]

    def test_an_invented_method_is_no_label_of_its_own(
        self, client: TestClient
    ) -> None:
        answer = client.request("X" * 300, "/livez")

        assert_problem(answer, "method-not-allowed", "X" * 100 + " /livez")
        text = client.get("/metrics").text
        assert 'method="other",route="/livez",status="405"' in text
        assert "XX" not in text + answer.text.replace("X" * 100 + " ", "")

    def test_info_shows_card_limits_and_versions(
        self, client: TestClient, world: World
    ) -> None:
        info = client.get("/info").json()

        assert info["bundle"]["version"] == world.version
        assert info["card"]["readiness"]["verdict"] == "NO-GO"
        assert info["limits"]["max_k"] == 1000
        assert info["limits"]["dim"] == 8
        assert info["threads"] == 1
        assert info["serves"] == "memory"

    def test_metrics_are_exposed(self, client: TestClient, world: World) -> None:
        ask(client, ids=["doc1#0"])
        client.get("/metrics/hitk")

        text = client.get("/metrics").text

        for line in (
            "nextvec_ready 1.0",
            "nextvec_index_vectors 3900.0",
            "nextvec_queue_depth 0.0",
            'nextvec_hitk{k="5",pool="documents",through="index"}',
            f'nextvec_model_info{{architecture="memory",bundle="{world.version}"',
        ):
            assert line in text
        assert 'method="POST",route="/predict",status="200"' in text

    def test_pages_need_no_other_server(self, client: TestClient) -> None:
        for path in ("/", "/docs"):
            page = client.get(path)
            assert page.status_code == 200
            assert "http" not in page.text.replace("http-equiv", "")
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert client.get(f"/docs/{name}").status_code == 200

    def test_the_framework_s_own_errors_are_problems_too(
        self, client: TestClient
    ) -> None:
        assert_problem(client.get("/nope"), "not-found", "GET /nope")
        assert_problem(client.get("/predict"), "method-not-allowed", "GET /predict")
        assert_problem(client.post("/predict/"), "not-found")

    def test_an_answer_repeats_little_of_what_a_client_sent(
        self, client: TestClient
    ) -> None:
        long = "x" * 20_000
        ids = ["doc1#0"]

        answers = [
            client.get(f"/{long}"),
            client.get("/metrics/hitk", params={long: "1"}),
            client.get("/metrics/hitk", params={"k": long}),
            client.get("/metrics/hitk", params={"pool": long}),
            client.get("/metrics/hitk", params={"refresh": long}),
            client.post("/predict", json={"ids": ids, long: 1}),
            client.post("/predict", json={"ids": [long]}),
            client.post("/predict", json={"ids": ids, "documents": [long]}),
            client.post("/predict", json={"ids": ids}, params={long: "1"}),
            client.post("/predict", params={long: "1"}, headers=OCTETS),
            client.post("/predict", headers={"content-type": long}),
            client.post("/predict", headers={"content-encoding": long}),
            client.post("/predict", headers={"content-type": f"a; charset={long}"}),
            client.post("/predict", headers={"content-length": "9" * 5000}),
        ]

        for answer in answers:
            assert 400 <= answer.status_code < 500
            assert len(answer.content) < 1000

    @pytest.mark.parametrize(
        ("given", "is_kept"),
        [("abc-1.2:3_X", True), ("a b", False), ("x" * 129, False), ("", False)],
    )
    def test_a_request_id_is_kept_if_it_is_one(
        self, client: TestClient, given: str, *, is_kept: bool
    ) -> None:
        answer = client.get("/livez", headers={"x-request-id": given})

        assert (answer.headers["x-request-id"] == given) is is_kept

    def test_a_request_without_an_id_gets_one_of_its_own(
        self, client: TestClient
    ) -> None:
        names = [client.get("/livez").headers["x-request-id"] for _ in range(50)]

        assert len(set(names)) == 50
        assert {uuid.UUID(name).version for name in names} == {4}

    def test_a_request_is_one_log_line_without_its_content(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            ask(client, ids=["doc1#0"], k=3)

        lines = [r for r in caplog.records if r.getMessage() == "request answered"]
        assert len(lines) == 1
        told = vars(lines[0])
        assert (told["route"], told["status"], told["k"]) == ("/predict", 200, 3)
        assert told["latency_ms"] > 0
        assert "doc1" not in str(told)

    def test_something_broken_is_a_500_that_tells_nothing(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = create_app(settings)

        async def broken() -> None:
            msg = "secret"
            raise RuntimeError(msg)

        app.add_api_route("/broken", broken)
        with TestClient(app) as client:
            answer = client.get("/broken", headers={"x-request-id": "abc"})

        assert_problem(answer, "internal-error", "see the log")
        assert "secret" not in answer.text
        assert any("request failed" in record.getMessage() for record in caplog.records)

    def test_threads_stay_flat(self, client: TestClient, context: list[str]) -> None:
        def count() -> int:
            return psutil.Process().num_threads()

        for _ in range(20):
            ask(client, ids=context)
        before = count()
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: ask(client, ids=context), range(300)))
        # the callers themselves are gone again, a moment after they were joined
        deadline = time.monotonic() + 10
        while count() > before + 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert count() <= before + 1

    def test_livez_answers_while_a_batch_runs(
        self, client: TestClient, context: list[str]
    ) -> None:
        with ThreadPoolExecutor(2) as callers, held(client) as leave:
            waiting = callers.submit(ask, client, ids=context)
            began = time.perf_counter()
            assert client.get("/livez").status_code == 200
            took = time.perf_counter() - began
            assert not waiting.done()
            leave.set()
            assert waiting.result(10)["num_context"] == 100
        assert took < 1
