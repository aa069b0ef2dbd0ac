"""The whole service, over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch
from fastapi.testclient import TestClient

from app.bundling import seal
from app.engine import Query
from app.factory import create_app
from app.neighbors import CONTEXT_COSINE
from app.problems import MEDIA_TYPE, PROBLEM_TYPES
from app.settings import Settings
from training.checkpoint import WEIGHTS, load_checkpoint, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.engine import Engine
    from app.service import Service
    from tests.app.conftest import World

OCTETS = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}


def service_of(client: TestClient) -> Service:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service


def assert_problem(answer: Any, slug: str, words: str = "") -> None:
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    kind = next(kind for kind in PROBLEM_TYPES if kind.slug == slug)
    assert answer.status_code == body["status"] == kind.status
    assert (body["type"], body["title"]) == (kind.uri, kind.title)
    assert words in body["detail"]
    assert body["error"] == f"{kind.title}: {body['detail']}"
    assert body["request_id"] == answer.headers["x-request-id"]


def ask(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=fields)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


@pytest.fixture
def context(world: World) -> list[str]:
    """The ids of the first hundred passages of a document."""
    return list(world.corpus.ids[130:230])


class TestPredict:
    def test_ids_numbers_and_octets_get_the_same_answer(
        self, client: TestClient, world: World, context: list[str]
    ) -> None:
        rows = np.array(world.corpus.vectors[130:230])

        by_id = ask(client, ids=context, k=7)
        by_number = ask(client, context=(3 * rows).tolist(), k=7)
        by_octets = client.post(
            "/predict?k=7", content=rows.tobytes(), headers=OCTETS
        ).json()

        names = [neighbor["id"] for neighbor in by_id["neighbors"]]
        assert len(names) == 7
        assert not set(names) & set(context)
        for other in (by_number, by_octets):
            assert [neighbor["id"] for neighbor in other["neighbors"]] == names
            np.testing.assert_allclose(
                [n["score"] for n in other["neighbors"]],
                [n["score"] for n in by_id["neighbors"]],
                atol=3e-6,
            )

    def test_it_finds_what_brute_force_finds(
        self, client: TestClient, engine: Engine, world: World, context: list[str]
    ) -> None:
        vectors = engine.bundle.index.vectors
        prediction = engine.predict([vectors[130:230]])[0]
        scores = np.einsum("nd,d->n", vectors, prediction)
        known = (vectors @ vectors[130:230].T).max(axis=1) >= CONTEXT_COSINE
        scores[known] = -np.inf
        best = np.lexsort((np.arange(len(scores)), -scores))[:20]

        found = ask(client, ids=context, k=20)["neighbors"]

        assert [n["id"] for n in found] == [world.corpus.ids[row] for row in best]

    def test_a_neighbor_says_what_and_where_it_is(
        self, client: TestClient, world: World, context: list[str]
    ) -> None:
        content = ask(client, ids=context, k=1)

        found = content["neighbors"][0]
        document, _, position = found["id"].partition("#")
        assert (found["document"], found["position"]) == (document, int(position))
        assert found["text"] == f"text of {found['id']}"
        assert -1 <= found["score"] <= 1
        assert content["num_context"] == 100
        assert content["bundle"] == world.version
        assert "vector" not in content

    def test_texts_can_be_left_out(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, return_texts=False)["neighbors"]

        assert all("text" not in neighbor for neighbor in found)

    def test_the_vector_is_in_the_space_of_the_caller(
        self, client: TestClient, engine: Engine, context: list[str]
    ) -> None:
        vector = ask(client, ids=context, return_vector=True)["vector"]

        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        predicted = engine.predict([engine.bundle.index.vectors[130:230]])
        expected = engine.bundle.checkpoint.transform.invert(predicted)[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)

    @pytest.mark.parametrize("length", [1, 2, 9, 10, 11, 37, 99, 100])
    def test_shorter_contexts_are_answered_as_if_alone(
        self, client: TestClient, engine: Engine, world: World, length: int
    ) -> None:
        rows = np.arange(260, 260 + length)

        vector = ask(
            client, ids=[world.corpus.ids[row] for row in rows], return_vector=True
        )["vector"]

        others = [Query(rows=np.arange(100), k=1), Query(rows=rows, k=1)]
        together = engine.run(others)[1]
        assert together.num_context == length
        model = engine.bundle.checkpoint.model
        with torch.inference_mode():
            alone = model(torch.tensor(engine.bundle.index.vectors[rows])[None])[0, -1]
        expected = engine.bundle.checkpoint.transform.invert(alone.numpy()[None])[0]
        np.testing.assert_allclose(vector, expected, atol=1e-5)

    def test_the_context_can_be_included(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, exclude_context=False, k=50)["neighbors"]

        assert {neighbor["id"] for neighbor in found} & set(context)

    def test_one_document_still_gives_k_results(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, documents=["doc7"], k=100)["neighbors"]

        assert {neighbor["document"] for neighbor in found} == {"doc7"}
        assert len(found) == 100

    def test_fewer_results_only_where_there_are_fewer_candidates(
        self, client: TestClient, context: list[str]
    ) -> None:
        found = ask(client, ids=context, documents=["doc1"], k=100)["neighbors"]

        assert len(found) == 30  # of 130, the context's own 100 are left out

    def test_documents_can_be_excluded(
        self, client: TestClient, context: list[str]
    ) -> None:
        near = ask(client, ids=context, k=5)["neighbors"][0]["document"]

        found = ask(client, ids=context, exclude_documents=[near], k=50)["neighbors"]

        assert near not in {neighbor["document"] for neighbor in found}
        assert len(found) == 50

    def test_timings_are_in_a_header(
        self, client: TestClient, context: list[str]
    ) -> None:
        timing = client.post("/predict", json={"ids": context}).headers["server-timing"]

        names = [part.partition(";")[0] for part in timing.split(", ")]
        assert names == ["parse", "queue", "model", "search"]

    @pytest.mark.parametrize(
        ("request_of", "slug", "words"),
        [
            pytest.param(
                {"content": b"{", "headers": JSON}, "malformed-body", "JSON", id="json"
            ),
            pytest.param(
                {"content": b"", "headers": JSON}, "malformed-body", "JSON", id="empty"
            ),
            pytest.param(
                {"content": bytes(31), "headers": OCTETS},
                "malformed-body",
                "multiple of 32 bytes",
                id="truncated",
            ),
            pytest.param(
                {"content": bytes(32), "headers": OCTETS},
                "invalid-context",
                "zero vector",
                id="zero",
            ),
            pytest.param(
                {"content": bytes(32 * 101), "headers": OCTETS},
                "invalid-context",
                "1 to 100 vectors of context, got 101",
                id="too long",
            ),
            pytest.param(
                {"json": {"context": [[1.0, 2.0]]}},
                "invalid-context",
                "expected 8 numbers, got 2",
                id="wrong D",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0", "no such"]}},
                "unknown-id",
                "ids[1]: no vector is called 'no such'",
                id="unknown id",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "documents": ["no such"]}},
                "unknown-document",
                "documents: no document is called 'no such'",
                id="unknown document",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "exclude_documents": ["no such"]}},
                "unknown-document",
                "exclude_documents",
                id="unknown excluded document",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"], "k": 1001}},
                "invalid-option",
                "k: expected 1 to 1000, got 1001",
                id="k",
            ),
            pytest.param(
                {"json": {"ids": ["doc1#0"]}, "params": {"k": 3}},
                "invalid-option",
                "'k' is unknown",
                id="parameter beside json",
            ),
            pytest.param(
                {"content": b"<a/>", "headers": {"content-type": "text/xml"}},
                "unsupported-media-type",
                "expected application/json or application/octet-stream, got text/xml",
                id="content type",
            ),
            pytest.param(
                {"content": b"{}"},
                "unsupported-media-type",
                "got no content type",
                id="no content type",
            ),
            pytest.param(
                {"content": bytes((8 << 20) + 1), "headers": OCTETS},
                "body-too-large",
                "8388609 bytes announced",
                id="too large",
            ),
        ],
    )
    def test_bad_input_gets_a_problem_that_says_why(
        self, client: TestClient, request_of: dict[str, Any], slug: str, words: str
    ) -> None:
        assert_problem(client.post("/predict", **request_of), slug, words)

    def test_a_body_is_counted_while_it_arrives(self, client: TestClient) -> None:
        def endless() -> Iterator[bytes]:
            for _ in range(9 * 16):
                yield bytes(1 << 16)

        answer = client.post("/predict", content=endless(), headers=OCTETS)

        assert_problem(answer, "body-too-large", "more than 8388608 arrived")


class TestItems:
    def test_items_have_no_document_and_no_document_filters(
        self, bundles: Path, world: World
    ) -> None:
        folder = bundles / world.version
        manifest = json.loads((folder / "bundle.json").read_bytes())
        manifest["corpus_kind"] = "items"
        (folder / "bundle.json").write_text(json.dumps(manifest))

        with TestClient(create_app(Settings(bundles=bundles, threads=1))) as client:
            found = ask(client, ids=["doc1#0"], k=1)["neighbors"][0]
            refused = client.post(
                "/predict", json={"ids": ["doc1#0"], "documents": ["doc1"]}
            )

        assert (found["document"], found["position"]) == (None, None)
        assert_problem(refused, "not-applicable", "belong to no one document")


class TestHitk:
    def test_fresh_figures_equal_the_recorded_ones(self, client: TestClient) -> None:
        report = client.get("/metrics/hitk").json()

        assert [pool["pool"] for pool in report["pools"]] == [
            "targets",
            "documents",
            "index",
        ]
        for pool in report["pools"]:
            recorded = pool["recorded"]["validation"]
            assert pool["exact"]["hit_at"] == recorded["hit_at"]
            assert pool["index"]["hit_at"] == recorded["hit_at"]
            assert pool["exact"]["mrr_at_10"] == recorded["mrr_at_10"]
            assert pool["num_candidates"] == recorded["num_candidates"]
            assert pool["num_windows"] == report["num_windows"] > 0
            assert pool["baseline"]["name"] == recorded["baseline"] == "copy-last"
            assert pool["baseline"]["hit_at"] == recorded["baseline_hit_at"]
            assert pool["lift"] == {"k": 5} | recorded["lift"]
            included = pool["index"]["hit_at_5_context_included"]
            assert included == recorded["hit_at_5_context_included"]
            assert pool["recorded"]["test"] is None
        assert report["mean_cosine"] == pytest.approx(report["recorded_mean_cosine"])
        assert report["readiness"]["verdict"] == "NO-GO"
        assert report["duration_s"] > 0

    @pytest.mark.parametrize("query", ["k=3&k=7", "k=3,7", "k=7&k=3,3"])
    def test_cut_offs_can_be_repeated_or_listed(
        self, client: TestClient, query: str
    ) -> None:
        report = client.get(f"/metrics/hitk?pool=documents&{query}").json()

        assert [pool["pool"] for pool in report["pools"]] == ["documents"]
        assert list(report["pools"][0]["exact"]["hit_at"]) == ["3", "7"]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("k=0", "k: expected 1 to 100, got 0"),
            ("k=101", "k: expected 1 to 100, got 101"),
            ("k=x", "expected an integer"),
            ("k=", "expected an integer"),
            ("pool=all", "expected any of targets, documents, index, got 'all'"),
            ("refresh=maybe", "expected true or false"),
            ("top=5", "'top' is unknown"),
        ],
    )
    def test_bad_parameters_are_refused(
        self, client: TestClient, query: str, words: str
    ) -> None:
        assert_problem(client.get(f"/metrics/hitk?{query}"), "invalid-option", words)

    def test_a_pool_the_corpus_is_too_small_for_is_refused(
        self,
        make_corpus: Callable[..., Any],
        new_run: Callable[..., None],
        tmp_path: Path,
    ) -> None:
        from app.bundling import build_bundle  # noqa: PLC0415 - beside what it needs
        from app.registry import Registry  # noqa: PLC0415
        from training.corpus.store import save_corpus  # noqa: PLC0415

        corpus = save_corpus(make_corpus([130] * 5, dim=4), tmp_path / "corpus")
        new_run(corpus, tmp_path / "run", tmp_path / "corpus")
        version = build_bundle(tmp_path / "run", tmp_path / "bundles")
        Registry(tmp_path / "bundles").promote(version)
        settings = Settings(bundles=tmp_path / "bundles", threads=1)

        with TestClient(create_app(settings)) as client:
            refused = client.get("/metrics/hitk?pool=targets")
            report = client.get("/metrics/hitk").json()

        assert_problem(refused, "invalid-option", "too small for targets; it has")
        assert [pool["pool"] for pool in report["pools"]] == ["documents", "index"]
        # one validation document: its interval has no bound, which JSON cannot say
        assert report["pools"][0]["exact"]["hit_at"]["1"]["low"] is None

    def test_callers_at_the_same_time_share_one_run(self, settings: Settings) -> None:
        with (
            TestClient(create_app(settings)) as client,
            ThreadPoolExecutor(8) as callers,
        ):
            answers = list(
                callers.map(
                    lambda _: client.get("/metrics/hitk").json(), range(8)
                )
            )
            runs = service_of(client).live.hitk.num_runs

        assert all(answer == answers[0] for answer in answers)
        assert runs == 4  # the predictions and three pools

    def test_a_refresh_runs_again_and_nothing_else_does(
        self, settings: Settings
    ) -> None:
        with TestClient(create_app(settings)) as client:
            hitk = service_of(client).live.hitk
            client.get("/metrics/hitk?pool=documents")
            client.get("/metrics/hitk?pool=documents&k=2")
            assert hitk.num_runs == 2
            client.get("/metrics/hitk?pool=documents&refresh=true")
            assert hitk.num_runs == 4

    def test_an_etag_saves_the_answer(self, client: TestClient) -> None:
        first = client.get("/metrics/hitk?pool=index")
        etag = first.headers["etag"]

        again = client.get(
            "/metrics/hitk?pool=index", headers={"if-none-match": f'"x", W/{etag}'}
        )
        other = client.get(
            "/metrics/hitk?pool=index&k=2", headers={"if-none-match": etag}
        )

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert other.status_code == 200

    def test_a_changed_weight_moves_the_fresh_figures_only(
        self, bundles: Path, world: World
    ) -> None:
        folder = bundles / world.version
        checkpoint = load_checkpoint(folder)
        state = checkpoint.model.state_dict()
        generator = torch.Generator().manual_seed(1)
        for name, weight in state.items():
            if name.startswith("head.") and weight.is_floating_point():
                noise = torch.randn(weight.shape, generator=generator)
                state[name] = weight + 3 * noise
        save_weights(folder / WEIGHTS, state, checkpoint.transform)
        seal(folder, world.version, "changed", world.corpus)

        with TestClient(create_app(Settings(bundles=bundles, threads=1))) as client:
            pool = client.get("/metrics/hitk?pool=documents").json()["pools"][0]

        assert pool["exact"]["hit_at"] != pool["recorded"]["validation"]["hit_at"]
        assert pool["exact"]["hit_at"] == pool["index"]["hit_at"]

    def test_a_failed_run_is_a_problem_and_the_next_one_is_tried(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        with TestClient(create_app(settings)) as client:
            engine = service_of(client).live.engine
            model = engine.bundle.checkpoint.model
            weights = {k: v.clone() for k, v in model.state_dict().items()}
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.fill_(torch.nan)
            with caplog.at_level(logging.CRITICAL):
                failed = client.get("/metrics/hitk")
            model.load_state_dict(weights)
            # the predictions of the broken model are kept, until they are refreshed
            again = client.get("/metrics/hitk?refresh=true")

        assert_problem(failed, "internal-error", "request id")
        assert again.status_code == 200


class TestOperations:
    def test_probes_answer_when_a_bundle_is_live(
        self, client: TestClient, world: World
    ) -> None:
        assert client.get("/livez").json() == {"live": True}
        assert client.get("/healthz").json() == {"live": True}
        assert client.get("/readyz").json() == {"ready": True, "bundle": world.version}

    def test_info_shows_card_limits_and_versions(
        self, client: TestClient, world: World
    ) -> None:
        info = client.get("/info").json()

        assert info["bundle"]["version"] == world.version
        assert info["card"]["readiness"]["verdict"] == "NO-GO"
        assert info["limits"]["max_k"] == 1000
        assert info["limits"]["dim"] == 8
        assert info["threads"] == 1

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

    @pytest.mark.parametrize(
        ("given", "is_kept"),
        [("abc-1.2:3_X", True), ("a b", False), ("x" * 129, False), ("", False)],
    )
    def test_a_request_id_is_kept_if_it_is_one(
        self, client: TestClient, given: str, *, is_kept: bool
    ) -> None:
        answer = client.get("/livez", headers={"x-request-id": given})

        assert (answer.headers["x-request-id"] == given) is is_kept

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
        # the callers themselves are gone again
        assert count() <= before + 1

    def test_livez_answers_while_a_batch_runs(
        self, client: TestClient, context: list[str]
    ) -> None:
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            leave.wait(10)

        async def occupy() -> None:
            await service_of(client).batcher.call(hold)

        with ThreadPoolExecutor(2) as callers:
            assert client.portal is not None
            held = client.portal.start_task_soon(occupy)
            assert entered.wait(10)
            waiting = callers.submit(ask, client, ids=context)
            began = time.perf_counter()
            assert client.get("/livez").status_code == 200
            took = time.perf_counter() - began
            assert not waiting.done()
            leave.set()
            held.result(10)
            assert waiting.result(10)["num_context"] == 100
        assert took < 1


class TestLoad:
    @pytest.fixture
    def held(self, world: World) -> Iterator[tuple[TestClient, threading.Event]]:
        """A service with room for one, whose thread is held until the event."""
        settings = Settings(
            bundles=world.bundles, threads=1, max_queue=1, request_timeout_s=0.2
        )
        leave = threading.Event()
        with TestClient(create_app(settings)) as client:
            entered = threading.Event()

            def hold() -> None:
                entered.set()
                leave.wait(10)

            async def occupy() -> None:
                await service_of(client).batcher.call(hold)

            assert client.portal is not None
            client.portal.start_task_soon(occupy)
            assert entered.wait(10)
            yield client, leave
            leave.set()

    def test_a_late_answer_is_a_504(
        self, held: tuple[TestClient, threading.Event], context: list[str]
    ) -> None:
        client, _ = held

        late = client.post("/predict", json={"ids": context})

        assert_problem(late, "deadline-exceeded", "expected an answer in 0.2 s")
        assert service_of(client).batcher.depth == 0
        assert 'nextvec_dropped_total{reason="deadline"} 1.0' in client.get(
            "/metrics"
        ).text

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
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        messages = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return messages.pop(0)

        async def send(message: dict[str, Any]) -> None:
            await asyncio.sleep(0)
            sent.append(message)

        async def leave_early() -> None:
            await client.app(scope, receive, send)  # type: ignore[arg-type]

        assert client.portal is not None
        client.portal.call(leave_early)

        assert sent[0]["status"] == 499
        assert service_of(client).batcher.depth == 0


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

    def test_a_damaged_bundle_is_named_in_readyz_and_in_the_log(
        self, bundles: Path, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        (bundles / world.version / "index.faiss").write_bytes(b"damaged")

        with self.client_of(bundles) as client:
            answer = client.get("/readyz")

        assert_problem(answer, "not-ready", "index.faiss: damaged")
        errors = [vars(r) for r in caplog.records if r.levelno == logging.ERROR]
        assert "index.faiss: damaged" in errors[0]["reason"]

    def test_another_answer_to_the_golden_query_is_not_served(
        self, bundles: Path, world: World
    ) -> None:
        path = bundles / world.version / "bundle.json"
        manifest = json.loads(path.read_bytes())
        manifest["golden"]["prediction"][0] += 0.1
        path.write_text(json.dumps(manifest))

        with self.client_of(bundles) as client:
            assert_problem(client.get("/readyz"), "not-ready", "golden query")

    def test_whatever_is_in_a_bundle_does_not_take_it_down(
        self, bundles: Path, world: World
    ) -> None:
        path = bundles / world.version / "bundle.json"
        manifest = json.loads(path.read_bytes())
        manifest["files"] = 5
        path.write_text(json.dumps(manifest))

        with self.client_of(bundles) as client:
            assert_problem(client.get("/readyz"), "not-ready", "cannot be loaded")

    def test_a_named_version_is_served_instead_of_the_live_one(
        self, bundles: Path, world: World
    ) -> None:
        shutil.copytree(bundles / world.version, bundles / "second")
        settings = Settings(bundles=bundles, bundle="second", threads=1)

        with TestClient(create_app(settings)) as client:
            assert client.get("/readyz").status_code == 200
