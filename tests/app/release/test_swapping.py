"""Bundles that change while the service answers."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.errors import BundleRefusedError, NotReadyError, UnknownBundleError
from nextvec.app.inference.engine import Engine
from nextvec.app.release.loader import Loader
from nextvec.app.release.registry import POINTER, Pointer, Registry
from nextvec.app.service import Service
from nextvec.app.settings import Settings
from nextvec.training.errors import BundleError
from nextvec.training.run_folder import WEIGHTS
from tests.app.admin import admin_client
from tests.app.asking import ask, assert_problem, service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.app.conftest import Bundles


def settings_of(shelf: Bundles, **told: Any) -> Settings:  # noqa: ANN401 - passed on
    # nobody looks at LIVE but the test
    return Settings(bundles=shelf.folder, threads=1, **{"live_poll_s": 0, **told})


@pytest.fixture
def client(shelf: Bundles) -> Iterator[TestClient]:
    with admin_client(settings_of(shelf)) as running:
        yield running


def look(client: TestClient) -> dict[str, Any]:
    """Let the service look at LIVE; return what it says of its bundles."""
    assert client.portal is not None
    client.portal.call(service_of(client).bundles.look)
    told: dict[str, Any] = client.get("/info").json()["bundles"]
    return told


def promote(client: TestClient, name: str) -> dict[str, Any]:
    answer = client.post("/admin/promote", json={"bundle": name})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def bundle_of(client: TestClient) -> str:
    return str(ask(client, ids=["doc1#0"])["bundle"])


def make_anew(folder: Path) -> None:
    """Replace a bundle by a copy, as building it again does."""
    old = folder.rename(folder.with_name(".old"))
    shutil.copytree(old, folder)
    (folder / "bundle.json").touch()
    shutil.rmtree(old)


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    opened: list[Path] = []
    real = Loader.open

    async def count(self: Loader, folder: Path) -> Engine:
        opened.append(folder)
        return await real(self, folder)

    monkeypatch.setattr(Loader, "open", count)
    return opened


class TestAdmin:
    def test_a_promotion_answers_at_once_and_is_on_disk(
        self, client: TestClient, shelf: Bundles, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second, _ = shelf.names

        with caplog.at_level(logging.INFO):
            swapped = promote(client, second)

        assert bundle_of(client) == second
        assert (swapped["serving"], swapped["kept"]) == (second, first)
        assert not swapped["was_warm"]
        assert Registry(shelf.folder).pointer() == Pointer(
            version=second, previous=first
        )
        metrics = client.get("/metrics").text
        assert f'nextvec_model_info{{architecture="memory",bundle="{second}"' in metrics
        assert f'bundle="{first}"' not in metrics
        assert 'nextvec_swaps_total{outcome="done"} 2.0' in metrics
        told = [vars(r) for r in caplog.records if r.getMessage() == "bundle is live"]
        assert [(line["bundle"], line["before"]) for line in told] == [(second, first)]

    def test_a_rollback_needs_nothing_but_memory(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, _ = shelf.names
        promote(client, second)
        opened = count_loads(monkeypatch)

        back = client.post("/admin/rollback").json()
        again = client.post("/admin/rollback").json()

        assert (back["serving"], again["serving"]) == (first, second)
        assert back["was_warm"]
        assert opened == []
        assert bundle_of(client) == second

    def test_only_one_bundle_is_kept_beside_the_live_one(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        first, second, third = shelf.names
        promote(client, second)
        promote(client, third)

        told = client.get("/admin/bundles").json()

        assert (told["serving"], told["kept"]) == (third, second)
        assert len(service_of(client).bundles.in_memory) == 2
        assert not promote(client, first)["was_warm"]

    def test_without_a_kept_one_a_rollback_loads(
        self, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = settings_of(shelf, keep_previous=False)
        with admin_client(settings) as client:
            assert promote(client, shelf.names[1])["kept"] is None
            opened = count_loads(monkeypatch)
            back = client.post("/admin/rollback").json()

        assert (back["serving"], back["was_warm"]) == (shelf.names[0], False)
        assert opened == [shelf.folder / shelf.names[0]]

    def test_a_bad_bundle_changes_nothing_and_says_why(
        self, client: TestClient, shelf: Bundles, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad = shelf.spoil(shelf.names[1])

        refused = client.post("/admin/promote", json={"bundle": bad})

        assert_problem(refused, "bundle-refused", bad)
        assert str(shelf.folder) not in refused.text
        assert bundle_of(client) == shelf.names[0]
        assert client.get("/readyz").status_code == 200
        pointer = Registry(shelf.folder).pointer()
        assert pointer is not None
        assert pointer.version == shelf.names[0]
        metrics = client.get("/metrics").text
        assert 'nextvec_swaps_total{outcome="refused"} 1.0' in metrics
        assert "nextvec_live_refused 0.0" in metrics
        told = vars(caplog.records[-1])
        assert (told["bundle"], told["serving"]) == (bad, shelf.names[0])
        refusal = look(client)["refused"]
        assert (refusal["bundle"], refusal["asked_by"]) == (bad, "admin")
        promote(client, shelf.names[1])
        assert look(client)["refused"] is None

    def test_what_cannot_be_asked_is_a_problem(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        named = {"bundle": shelf.names[1]}
        post = client.post

        assert_problem(post("/admin/promote", json={"bundle": "x"}), "unknown-bundle")
        assert_problem(
            post("/admin/promote", json=named | {"require_go": True}),
            "bundle-refused",
            "GO is required",
        )
        bodies: list[Any] = [{}, {"bundle": 1}, named | {"more": 1}, []]
        for body in bodies:
            assert_problem(post("/admin/promote", json=body), "malformed-body")
        twice = b'{"bundle":"a","bundle":"b"}'
        as_json = {"content-type": "application/json"}
        assert_problem(
            post("/admin/promote", content=twice, headers=as_json),
            "malformed-body",
            "got 'bundle' twice",
        )
        assert_problem(
            post("/admin/promote", content=b"{}"),
            "unsupported-media-type",
            "no content",
        )
        assert_problem(post("/admin/rollback"), "bundle-refused", "was live before")
        assert bundle_of(client) == shelf.names[0]

    def test_the_list_holds_what_cannot_be_read(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        (shelf.folder / shelf.names[2] / "bundle.json").write_bytes(b"{}")

        told = client.get("/admin/bundles").json()

        assert [one["bundle"] for one in told["bundles"]] == sorted(shelf.names)
        faults = {one["bundle"]: one["fault"] for one in told["bundles"]}
        assert faults[shelf.names[0]] is None
        assert faults[shelf.names[2]].startswith(f"{shelf.names[2]}/bundle.json")
        assert (told["live"], told["previous"]) == (shelf.names[0], None)
        numbers = {one["bundle"]: one["num_vectors"] for one in told["bundles"]}
        assert numbers[shelf.names[0]] == 3900

    def test_the_list_tells_a_bundle_in_the_place_of_another(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        (shelf.folder / shelf.names[2]).rename(shelf.folder / "elsewhere")

        told = client.get("/admin/bundles").json()

        faults = {one["bundle"]: one["fault"] for one in told["bundles"]}
        assert f"holds the bundle {shelf.names[2]}" in faults["elsewhere"]

    def test_nobody_finds_them_unless_they_are_wanted(self, shelf: Bundles) -> None:
        app = create_app(settings_of(shelf))

        with TestClient(app) as client:
            assert_problem(client.get("/admin/bundles"), "not-found")
            assert_problem(client.post("/admin/rollback"), "not-found")
        assert not [path for path in app.openapi()["paths"] if "admin" in path]

    def test_a_service_of_one_named_bundle_keeps_to_it(self, shelf: Bundles) -> None:
        pinned = settings_of(shelf, bundle=shelf.names[1])
        with admin_client(pinned) as client:
            shelf.point(shelf.names[2])
            told = look(client)
            for path in ("/admin/promote", "/admin/rollback"):
                refused = client.post(path, json={"bundle": shelf.names[0]})
                assert_problem(refused, "bundle-refused", "NEXTVEC_BUNDLE")

        assert (told["serving"], told["live"]) == (shelf.names[1], shelf.names[2])
        assert told["refused"] is None


class TestFollowing:
    def test_what_another_process_promotes_is_taken_up(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        shelf.point(shelf.names[1], shelf.names[0])
        told = look(client)

        assert bundle_of(client) == told["serving"] == told["live"] == shelf.names[1]
        assert told["kept"] == shelf.names[0]

    def test_live_is_looked_at_again_and_again(self, shelf: Bundles) -> None:
        app = create_app(settings_of(shelf, live_poll_s=0.01))
        with TestClient(app) as client:
            # what it cannot read does not end it
            (shelf.folder / POINTER).write_bytes(b"{")
            Registry(shelf.folder).folder.joinpath(POINTER).unlink()
            shelf.point(shelf.names[2])
            deadline = time.monotonic() + 20
            while bundle_of(client) != shelf.names[2] and time.monotonic() < deadline:
                time.sleep(0.01)

            assert bundle_of(client) == shelf.names[2]

    def test_what_is_unforeseen_does_not_end_it(
        self,
        shelf: Bundles,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        app = create_app(settings_of(shelf, live_poll_s=0.01))
        with TestClient(app) as client:
            broken = threading.Event()

            def versions(_: Registry) -> list[str]:
                broken.set()
                msg = "a volume that was pulled out"
                raise RuntimeError(msg)

            with monkeypatch.context() as patch:
                patch.setattr(Registry, "versions", versions)
                shelf.point(shelf.names[1])
                assert broken.wait(10)
            deadline = time.monotonic() + 20
            while bundle_of(client) != shelf.names[1] and time.monotonic() < deadline:
                time.sleep(0.01)

            assert bundle_of(client) == shelf.names[1]
        assert "LIVE cannot be followed" in caplog.text

    def test_a_bad_one_leaves_what_answers_and_is_seen(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        bad = shelf.spoil(shelf.names[1])
        shelf.point(bad, shelf.names[0])

        told = look(client)

        assert bundle_of(client) == told["serving"] == shelf.names[0]
        assert told["live"] == told["refused"]["bundle"] == bad
        assert told["refused"]["code"] == "bundle-refused"
        assert f"{bad}/vectors.npy: damaged" in told["refused"]["reason"]
        assert str(shelf.folder) not in str(told)
        assert client.get("/readyz").json() == {"ready": True}
        assert "nextvec_live_refused 1.0" in client.get("/metrics").text

    def test_it_is_tried_again_when_a_file_has_changed(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = shelf.names[1]
        whole = (shelf.folder / name / "vectors.npy").read_bytes()
        (shelf.folder / name / "vectors.npy").write_bytes(whole[:-1])
        shelf.point(name)
        opened = count_loads(monkeypatch)

        for _ in range(3):
            assert look(client)["serving"] == shelf.names[0]
        assert len(opened) == 1
        (shelf.folder / name / "vectors.npy").write_bytes(whole)

        assert look(client)["serving"] == name
        assert "nextvec_live_refused 0.0" in client.get("/metrics").text

    def test_a_rollback_mends_a_bad_live(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        shelf.point(shelf.spoil(shelf.names[1]), shelf.names[0])
        look(client)

        back = client.post("/admin/rollback").json()

        assert (back["serving"], back["was_warm"]) == (shelf.names[0], True)
        told = look(client)
        assert (told["live"], told["refused"]) == (shelf.names[0], None)
        assert "nextvec_live_refused 0.0" in client.get("/metrics").text

    def test_so_does_another_process(self, client: TestClient, shelf: Bundles) -> None:
        shelf.point("gone", shelf.names[0])
        refused = look(client)["refused"]
        shelf.point(shelf.names[0])

        assert refused["code"] == "unknown-bundle"
        assert "no bundle 'gone'" in refused["reason"]
        assert look(client)["refused"] is None

    def test_after_a_bad_live_a_rollback_goes_to_what_answered(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        shelf.point(shelf.spoil(shelf.names[1]), shelf.names[0])
        look(client)
        promote(client, shelf.names[2])

        assert client.post("/admin/rollback").json()["serving"] == shelf.names[0]

    @pytest.mark.parametrize(
        ("content", "code"),
        [(b"{", "unreadable-pointer"), (None, "no-bundle")],
    )
    def test_a_live_without_a_name_changes_nothing_and_is_mended(
        self, client: TestClient, shelf: Bundles, content: bytes | None, code: str
    ) -> None:
        (shelf.folder / POINTER).unlink()
        if content is not None:
            (shelf.folder / POINTER).write_bytes(content)

        told = look(client)

        assert told["refused"]["code"] == code
        assert (told["serving"], told["live"]) == (shelf.names[0], None)
        back = client.post("/admin/rollback")
        assert_problem(back, "bundle-refused")
        assert bundle_of(client) == shelf.names[0]
        promote(client, shelf.names[1])
        assert look(client)["refused"] is None
        assert client.post("/admin/rollback").json()["serving"] == shelf.names[0]

    def test_a_service_without_a_bundle_takes_the_first_one(
        self, shelf: Bundles
    ) -> None:
        (shelf.folder / POINTER).unlink()
        with TestClient(create_app(settings_of(shelf))) as client:
            before = client.get("/readyz")
            shelf.point(shelf.names[0])
            told = look(client)

            assert_problem(before, "not-ready", "no bundle has been promoted")
            assert client.get("/readyz").status_code == 200
            assert (told["serving"], told["kept"]) == (shelf.names[0], None)

    def test_what_is_made_anew_under_its_name_is_taken_up(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, _ = shelf.names
        promote(client, second)
        opened = count_loads(monkeypatch)
        service = service_of(client)
        before = weakref.ref(service.live.engine)

        make_anew(shelf.folder / second)
        told = look(client)
        look(client)

        assert opened == [shelf.folder / second]
        assert (told["serving"], told["kept"]) == (second, first)
        gc.collect()
        assert before() is None
        make_anew(shelf.folder / first)
        assert not promote(client, first)["was_warm"]
        assert len(service.bundles.in_memory) == 2

    def test_what_is_made_anew_and_is_bad_changes_nothing(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = shelf.folder / shelf.names[0]
        service, opened = service_of(client), count_loads(monkeypatch)
        answers = service.live
        make_anew(first)
        os.truncate(first / "vectors.npy", 100)

        refused = [look(client)["refused"]["code"] for _ in range(2)]

        assert refused == ["bundle-refused"] * 2
        assert service.live is answers
        assert len(opened) == 1

    def test_a_folder_that_is_away_is_no_matter_to_what_answers(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        (shelf.folder / shelf.names[0]).rename(shelf.folder / ".away")

        assert look(client)["refused"] is None
        assert bundle_of(client) == shelf.names[0]

    def test_a_folder_that_comes_and_goes_is_refused(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Registry, "versions", lambda _: ["away"])
        shelf.point("away")

        refused = look(client)["refused"]

        assert (refused["bundle"], refused["code"]) == ("away", "bundle-refused")


class TestUnderLoad:
    def test_swaps_good_and_bad(self, client: TestClient, shelf: Bundles) -> None:
        bad = [
            shelf.spoil(shelf.names[1], damage)
            for damage in ("vectors.npy", WEIGHTS, "bundle.json")
        ]
        contexts = [[f"doc{d}#{place}" for place in range(40)] for d in range(4)]
        expected = {
            name: [told(ask(client, ids=ids)) for ids in contexts]
            for name in shelf.names
            if promote(client, name)
        }
        leave = threading.Event()

        def ask_and_ask(at: int) -> list[str]:
            wrong = []
            while not leave.is_set():
                at = (at + 1) % len(contexts)
                answer = client.post("/predict", json={"ids": contexts[at]})
                content = answer.json()
                if answer.status_code != 200:
                    wrong.append(answer.text)
                elif told(content) != expected[content["bundle"]][at]:
                    wrong.append(f"mixed: {content['bundle']}")
            return wrong

        threads = []
        with ThreadPoolExecutor(3) as callers:
            asked = [callers.submit(ask_and_ask, at) for at in range(3)]
            for number, (good, spoiled) in zip(
                range(7), cycle(zip(shelf.names, bad, strict=True)), strict=False
            ):
                if number % 2:
                    promote(client, good)
                else:
                    shelf.point(good, shelf.names[0])
                    assert look(client)["serving"] == good
                refused = client.post("/admin/promote", json={"bundle": spoiled})
                assert_problem(refused, "bundle-refused")
                assert client.post("/admin/rollback").status_code == 200
                assert client.get("/readyz").status_code == 200
                threads.append(psutil.Process().num_threads())
            leave.set()
            wrong = [fault for one in asked for fault in one.result(30)]

        assert wrong == []
        # the callers of the client come and go with its requests
        assert max(threads[2:]) <= max(threads[:2]) + 1

    def test_what_was_let_go_leaves_nothing_behind(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = list[weakref.ref[Engine]]()

        def refuse(engine: Engine) -> None:
            gone.append(weakref.ref(engine))
            msg = "another answer"
            raise BundleError(msg)

        client.post("/sessions", json={"ids": ["doc1#0"]})
        client.get("/metrics/hitk?pool=index")
        # no cycle may hold an engine: to collect them would stop everybody
        gc.collect()
        gc.disable()
        try:
            for name, other in pairwise((*shelf.names[1:], *shelf.names, "x")):
                gone.append(weakref.ref(service_of(client).live.engine))
                promote(client, name)
                with monkeypatch.context() as patch:
                    patch.setattr("nextvec.app.service.check_golden", refuse)
                    client.post("/admin/promote", json={"bundle": other})
                bundle_of(client)
            alive = [ref() for ref in gone]
        finally:
            gc.enable()

        assert len(gone) > len(shelf.names) + 4
        # of what was live before and of what was refused only the kept one is there
        assert sum(engine is not None for engine in alive) == 1

    def test_sessions_of_the_old_bundle_end_and_say_so(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        names = [
            client.post("/sessions", json={"ids": ["doc1#0"]}).json()["session"]
            for _ in range(3)
        ]
        state = client.post("/step", json={"ids": ["doc1#0"]}).json()["state"]
        promote(client, shelf.names[1])
        assert client.portal is not None
        deadline = time.monotonic() + 10
        while len(service_of(client).sessions) and time.monotonic() < deadline:
            time.sleep(0.001)

        appended = client.post(f"/sessions/{names[0]}", json={"ids": ["doc1#1"]})
        described = client.get(f"/sessions/{names[1]}")
        stepped = client.post("/step", json={"ids": ["doc1#1"], "state": state})

        assert len(service_of(client).sessions) == 0
        for answer in (appended, described, stepped):
            assert_problem(answer, "session-gone", "another")
        gone = 'nextvec_sessions_gone_total{reason="bundle"} 3.0'
        assert gone in client.get("/metrics").text

    def test_a_validation_of_what_was_let_go_is_of_what_took_its_place(
        self, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = settings_of(shelf, keep_previous=False)
        with admin_client(settings) as client, ThreadPoolExecutor(1) as callers:
            hitk = service_of(client).live.hitk
            began, leave = threading.Event(), threading.Event()
            real = hitk._validator.measure  # noqa: SLF001 - to hold it

            def hold(*told: Any) -> Any:  # noqa: ANN401 - passed on
                began.set()
                while not leave.is_set():
                    yield
                return (yield from real(*told))

            monkeypatch.setattr(hitk._validator, "measure", hold)  # noqa: SLF001
            asked = callers.submit(client.get, "/metrics/hitk?pool=index")
            assert began.wait(10)
            promote(client, shelf.names[1])
            report = asked.result(30)
            leave.set()

        assert report.status_code == 200
        assert report.json()["bundle"] == shelf.names[1]

    def test_prometheus_is_told_of_what_answers_alone(
        self, client: TestClient, shelf: Bundles
    ) -> None:
        client.get("/metrics/hitk")
        before = hitk_lines(client)
        promote(client, shelf.names[1])
        between = hitk_lines(client)
        client.post("/admin/rollback")

        assert before
        assert between == []
        assert hitk_lines(client) == before


def told(content: dict[str, Any]) -> tuple[Any, ...]:
    """Return all of an answer that does not depend on rounding."""
    found = sorted((one["id"], one["position"]) for one in content["neighbors"])
    names = ("bundle", "model_version", "index_version")
    return found, [content[name] for name in names]


def hitk_lines(client: TestClient) -> list[str]:
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("nextvec_hitk{")]


@pytest.fixture
def run_in_service(shelf: Bundles) -> Callable[..., Any]:
    def run(scenario: Callable[[Service], Any]) -> Any:  # noqa: ANN401 - its own
        async def main() -> Any:  # noqa: ANN401
            service = Service(settings_of(shelf))
            await service.start()
            try:
                return await scenario(service)
            finally:
                service.stop()

        return asyncio.run(main())

    return run


def test_a_bundle_that_is_loaded_beside_another_gives_way(shelf: Bundles) -> None:
    loader = Loader()

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def load() -> list[int]:
        seen = []
        for name in shelf.names:
            await loader.open(shelf.folder / name)
            seen.append(await loader.call(priority))
        return seen

    seen = asyncio.run(load())
    loader.stop()

    first = os.getpriority(os.PRIO_PROCESS, os.getpid())
    later = min(first + 10, 19)
    assert seen == [first, later, later]


class TestStopping:
    def test_a_load_is_given_up_when_the_service_stops(
        self, shelf: Bundles, run_in_service: Callable[..., Any]
    ) -> None:
        async def stop_while_loading(service: Service) -> None:
            held, leave = asyncio.Event(), threading.Event()
            loop = asyncio.get_running_loop()

            def hold() -> None:
                loop.call_soon_threadsafe(held.set)
                leave.wait(10)

            holding = asyncio.ensure_future(service.loader.call(hold))
            loading = asyncio.ensure_future(
                service.loader.open(shelf.folder / shelf.names[1])
            )
            await held.wait()
            service.loader.stop()
            leave.set()
            await holding
            with pytest.raises((NotReadyError, asyncio.CancelledError)):
                await loading
            with pytest.raises(NotReadyError, match="shutting down"):
                await service.bundles.promote(shelf.names[1])

        run_in_service(stop_while_loading)

    def test_it_stops_between_two_pieces_of_a_file(
        self, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loader = Loader()

        def stop(self: Any, *_: Any) -> None:  # noqa: ANN401, ARG001 - a listener
            loader.stop()

        monkeypatch.setattr("nextvec.app.release.loading.LoadingLog.__call__", stop)

        with pytest.raises(NotReadyError, match="shutting down"):
            asyncio.run(loader.open(shelf.folder / shelf.names[0]))

    def test_a_service_that_drains_follows_nothing_and_stays_not_ready(
        self, shelf: Bundles
    ) -> None:
        settings = settings_of(shelf, live_poll_s=0.01)
        with admin_client(settings) as client:
            service = service_of(client)
            assert client.portal is not None
            client.portal.call(service.drain)
            shelf.point(shelf.names[1])
            promote(client, shelf.names[2])

            assert bundle_of(client) == shelf.names[2]
            assert "nextvec_ready 0.0" in client.get("/metrics").text
            assert_problem(client.get("/metrics/hitk"), "not-ready", "shutting down")
            assert not service._tasks  # noqa: SLF001 - nobody follows LIVE

    def test_errors_of_promoting_are_of_the_domain(
        self, shelf: Bundles, run_in_service: Callable[..., Any]
    ) -> None:
        async def ask_wrongly(service: Service) -> None:
            with pytest.raises(UnknownBundleError):
                await service.bundles.promote(".hidden")
            with pytest.raises(BundleRefusedError):
                await service.bundles.rollback()
            assert service.bundles.name == shelf.names[0]

        run_in_service(ask_wrongly)

    def test_a_disk_that_takes_no_live_leaves_what_answers(
        self, client: TestClient, shelf: Bundles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any, **__: Any) -> None:  # noqa: ANN401 - as write_json
            msg = "No space left on device"
            raise OSError(28, msg)

        monkeypatch.setattr("nextvec.app.release.registry.write_json", full)

        refused = client.post("/admin/promote", json={"bundle": shelf.names[1]})

        assert_problem(refused, "bundle-refused", "No space left")
        assert bundle_of(client) == shelf.names[0]
