"""`GET /metrics/hitk`, over HTTP."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.hitk import estimates
from nextvec.app.hitk.hitk import Hitk
from nextvec.app.inference.predictors import make_predictor
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.checkpoint import load_checkpoint, save_weights
from nextvec.training.evaluation.evaluation import PoolResult, pool_result
from nextvec.training.run_folder import WEIGHTS
from tests.app.asking import assert_problem, service_of
from tests.app.sealing import reseal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.app.conftest import World


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
            assert pool["baseline"]["name"] == recorded["baseline"]
            assert pool["baseline"]["name"].startswith("copy-last")
            assert pool["baseline"]["hit_at"] == recorded["baseline_hit_at"]
            assert pool["lift"] == {"k": 5} | recorded["lift"]
            included = pool["index"]["hit_context_included"]
            assert included == recorded["hit_context_included"]
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
            (
                "k=1,2,3,4,5,6&k=7,8,9,10,11",
                "k: expected at most 10 different cut-offs, got 11",
            ),
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
        from nextvec.app.release.building import build_bundle  # noqa: PLC0415 - beside what it needs
        from nextvec.app.release.registry import Registry  # noqa: PLC0415
        from nextvec.training.corpus.store import save_corpus  # noqa: PLC0415

        corpus = save_corpus(make_corpus([130] * 5, dim=4), tmp_path / "corpus")
        new_run(corpus, tmp_path / "run", tmp_path / "corpus")
        built = build_bundle(tmp_path / "run", tmp_path / "bundles")
        Registry(tmp_path / "bundles").make_live(built)
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
                callers.map(lambda _: client.get("/metrics/hitk").json(), range(8))
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

    def test_figures_are_computed_once_in_the_inference_thread(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads: list[str] = []

        def noted(*told: Any, **options: Any) -> PoolResult:  # noqa: ANN401 - passed on
            threads.append(threading.current_thread().name)
            return pool_result(*told, **options)

        monkeypatch.setattr(estimates, "pool_result", noted)
        query = "/metrics/hitk?pool=documents"

        with (
            TestClient(create_app(settings)) as client,
            ThreadPoolExecutor(8) as callers,
        ):
            client.get(f"{query}&k=1")
            assert len(threads) == 4  # exact and index, of all and at 1
            answers = list(
                callers.map(lambda _: client.get(f"{query}&k=1,2").json(), range(8))
            )
            assert len(threads) == 6
            assert client.get(f"{query}&k=1,2").json() == answers[0]
            assert len(threads) == 6
            client.get(f"{query}&k=1&refresh=true")
            assert len(threads) == 10

        assert all(answer == answers[0] for answer in answers)
        assert set(threads) == {"inference"}

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
        Registry(bundles).make_live(reseal(folder, world.corpus))

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
            # other engines have weights of their own
            engine.predictor = make_predictor(model, EAGER)
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


def test_an_answer_is_encoded_once_until_something_is_measured_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = Hitk.report

    async def count(self: Hitk, *told: Any, **named: Any) -> Any:  # noqa: ANN401
        asked.append(told)
        return await real(self, *told, **named)

    monkeypatch.setattr(Hitk, "report", count)

    first = client.get("/metrics/hitk", params={"k": 3})
    again = client.get("/metrics/hitk", params={"k": 3})
    other = client.get("/metrics/hitk", params={"k": 4})
    fresh = client.get("/metrics/hitk", params={"k": 3, "refresh": "true"})
    last = client.get("/metrics/hitk", params={"k": 4})

    assert again.content == first.content
    assert len(asked) == 4  # the last one, too: its measurements are new
    assert other.json()["pools"] != first.json()["pools"]
    assert fresh.json()["measured_at"] == last.json()["measured_at"]
    assert fresh.headers["etag"] != first.headers["etag"]
