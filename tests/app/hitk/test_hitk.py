"""`GET /metrics/hitk`, over HTTP."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.hitk import estimates
from nextvec.app.hitk.hitk import Hitk
from nextvec.app.hitk.validator import Validator
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


def ageless(report: dict[str, Any]) -> dict[str, Any]:
    """Return all of a report but what changes from one moment to the next."""
    return {k: v for k, v in report.items() if k not in {"age_s", "is_refreshing"}}


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

        assert all(ageless(answer) == ageless(answers[0]) for answer in answers)
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
            again = client.get(f"{query}&k=1,2").json()
            assert ageless(again) == ageless(answers[0])
            assert len(threads) == 6
            client.get(f"{query}&k=1&refresh=true")
            # of all, at 1 and at 2: nobody shall wait for what was told before
            assert len(threads) == 12

        assert all(ageless(answer) == ageless(answers[0]) for answer in answers)
        assert set(threads) == {"inference"}

    def test_an_etag_saves_the_answer(self, client: TestClient) -> None:
        first = client.get("/metrics/hitk?pool=index")
        etag = first.headers["etag"]

        again = client.get(
            "/metrics/hitk?pool=index", headers={"if-none-match": f'"x", {etag}'}
        )
        other = client.get(
            "/metrics/hitk?pool=index&k=2", headers={"if-none-match": etag}
        )

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert etag.startswith('W/"')
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
    real = Hitk._encode  # noqa: SLF001 - to count

    async def count(self: Hitk, *told: Any) -> Any:  # noqa: ANN401 - passed on
        asked.append(told)
        return await real(self, *told)

    client.get("/metrics/hitk", params={"refresh": "true"})
    monkeypatch.setattr(Hitk, "_encode", count)

    first = client.get("/metrics/hitk", params={"k": 3})
    again = client.get("/metrics/hitk", params={"k": 3})
    other = client.get("/metrics/hitk", params={"k": 4})
    assert len(asked) == 2
    fresh = client.get("/metrics/hitk", params={"k": 3, "refresh": "true"})
    made = len(asked)
    last = client.get("/metrics/hitk", params={"k": 4})

    assert again.headers["etag"] == first.headers["etag"]
    assert ageless(again.json()) == ageless(first.json())
    assert again.json()["age_s"] > first.json()["age_s"]
    assert len(asked) == made  # what was told before was made anew in the run
    assert other.json()["pools"] != first.json()["pools"]
    assert fresh.json()["measured_at"] == last.json()["measured_at"]
    assert fresh.headers["etag"] != first.headers["etag"]


def test_nothing_old_is_told_once_a_refresh_has_ended(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/metrics/hitk", params={"k": 3})
    real = Hitk._encode  # noqa: SLF001 - the end of a run

    async def late(self: Hitk, *told: Any) -> Any:  # noqa: ANN401 - passed on
        monkeypatch.setattr(Hitk, "_encode", real)
        # somebody asks for another cut-off while the first is made anew
        await self.encoded(self.pools, [4])
        return await real(self, *told)

    monkeypatch.setattr(Hitk, "_encode", late)

    fresh = client.get("/metrics/hitk", params={"k": 3, "refresh": "true"})
    other = client.get("/metrics/hitk", params={"k": 4})

    assert Hitk._encode is real  # noqa: SLF001
    assert other.json()["measured_at"] == fresh.json()["measured_at"]


def test_no_more_answers_are_kept_than_people_ask_for(client: TestClient) -> None:
    hitk = service_of(client).live.hitk

    for k in range(20, 60):
        client.get("/metrics/hitk", params={"k": k, "pool": "targets"})

    assert len(hitk._encoded) == 16  # noqa: SLF001 - nothing else shows it
    assert not hitk._encoding  # noqa: SLF001


class Held:
    """A step of a validation that waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str = "measure") -> None:
        self.leave, self.began = threading.Event(), threading.Event()
        real, held = getattr(Validator, name), self

        def hold(self: Validator, *told: Any) -> Any:  # noqa: ANN401 - passed on
            held.began.set()
            # not the thread itself, which answers everybody
            while not held.leave.is_set():
                yield
            return (yield from real(self, *told))

        monkeypatch.setattr(Validator, name, hold)


def test_a_refresh_keeps_nobody_from_what_was_measured_last(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(2) as callers:
        first = client.get("/metrics/hitk")
        held = Held(monkeypatch)
        refreshes = [
            callers.submit(client.get, "/metrics/hitk?refresh=true") for _ in range(2)
        ]
        assert held.began.wait(10)
        meanwhile = client.get("/metrics/hitk")
        others = client.get("/metrics/hitk?k=7&pool=index")
        predicted = client.post("/predict", json={"ids": ["doc1#0"]})
        assert not any(refresh.done() for refresh in refreshes)
        held.leave.set()
        fresh = [refresh.result(10).json() for refresh in refreshes]
        runs = service_of(client).live.hitk.num_runs

    assert ageless(meanwhile.json()) == ageless(first.json())
    assert meanwhile.json()["is_refreshing"]
    assert not first.json()["is_refreshing"]
    assert int(meanwhile.headers["age"]) >= 0
    assert others.json()["measured_at"] <= first.json()["measured_at"]
    assert predicted.status_code == 200
    assert fresh[0]["measured_at"] == fresh[1]["measured_at"]
    assert fresh[0]["measured_at"] > first.json()["measured_at"]
    assert runs == 8  # once at first, and once for both who wanted it anew


def test_a_refresh_of_another_pool_is_a_run_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(2) as callers:
        held = Held(monkeypatch)
        plain = callers.submit(client.get, "/metrics/hitk?pool=targets")
        assert held.began.wait(10)
        anew = callers.submit(client.get, "/metrics/hitk?pool=index&refresh=true")
        held.leave.set()
        answers = [plain.result(10), anew.result(10)]
        runs = service_of(client).live.hitk.num_runs

    assert [answer.status_code for answer in answers] == [200, 200]
    assert runs == 4  # predictions and a pool, twice


def test_a_run_that_takes_too_long_is_a_504_and_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = settings.model_copy(update={"hitk_timeout_s": 0.05})
    held = Held(monkeypatch)
    with TestClient(create_app(hasty)) as client:
        late = client.get("/metrics/hitk?pool=index")
        hitk = service_of(client).live.hitk
        still = hitk.is_refreshing
        held.leave.set()
        deadline = time.monotonic() + 10
        while hitk.is_refreshing and time.monotonic() < deadline:
            time.sleep(0.01)
        runs = hitk.num_runs
        answer = client.get("/metrics/hitk?pool=index")

        assert_problem(late, "deadline-exceeded", "to end in 0.05 s; it goes on")
        assert still
        assert answer.status_code == 200
        assert hitk.num_runs == runs


def test_a_service_that_stops_ends_a_run_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(2) as callers:
        assert client.get("/metrics/hitk?pool=targets").status_code == 200
        held = Held(monkeypatch)
        first = callers.submit(client.get, "/metrics/hitk?pool=index")
        assert held.began.wait(10)
        assert client.portal is not None
        client.portal.call(service_of(client).drain)
        ended = first.result(10)
        later = client.get("/metrics/hitk?refresh=true")
        known = client.get("/metrics/hitk?pool=targets")
        predicted = client.post("/predict", json={"ids": ["doc1#0"]})
        ready = client.get("/readyz")
        depth = service_of(client).batcher.depth

    assert_problem(ended, "not-ready", "shutting down")
    assert_problem(ready, "not-ready", "shutting down")
    assert ended.headers["retry-after"]
    assert_problem(later, "not-ready", "shutting down")
    assert (known.status_code, predicted.status_code, depth) == (200, 200, 0)


def test_a_run_gets_on_while_requests_never_stop(
    settings: Settings, context: list[str]
) -> None:
    leave = threading.Event()

    def ask_and_ask(client: TestClient) -> set[int]:
        statuses = set()
        while not leave.is_set():
            statuses.add(client.post("/predict", json={"ids": context}).status_code)
        return statuses

    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(4) as callers:
        busy = [callers.submit(ask_and_ask, client) for _ in range(3)]
        report = client.get("/metrics/hitk")
        leave.set()
        statuses = {status for one in busy for status in one.result(10)}

    assert report.status_code == 200
    assert statuses == {200}
