"""Who comes in, with which key, and how often."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from nextvec.app.access.key_file import KeyFileError, create_key
from nextvec.app.access.key_ring import KeyRing
from nextvec.app.api.app import create_app
from nextvec.app.api.guard import Guard
from nextvec.app.api.paths import ADMIN, PAGES, PROBES
from nextvec.app.api.routes.pages import pages_router
from nextvec.app.metrics import Metrics
from nextvec.app.settings import Settings
from nextvec.app.wire.problems import MEDIA_TYPE, PROBLEM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2
    from starlette.requests import Request
    from starlette.types import Message

    from tests.app.conftest import World

GUARDED = [
    pytest.param("POST", "/predict", id="predict"),
    pytest.param("POST", "/predict/batch", id="batch"),
    pytest.param("POST", "/sessions", id="sessions"),
    pytest.param("GET", "/sessions/name", id="session"),
    pytest.param("DELETE", "/sessions/name", id="delete"),
    pytest.param("POST", "/step", id="step"),
    pytest.param("GET", "/metrics", id="metrics"),
    pytest.param("GET", "/metrics/hitk", id="hitk"),
    pytest.param("GET", "/info", id="info"),
    pytest.param("GET", "/nosuch", id="what is not there"),
    pytest.param("GET", "/docs/", id="nearly a page"),
    pytest.param("GET", "/readyz/", id="nearly a probe"),
    pytest.param("OPTIONS", "/predict", id="another method"),
    pytest.param("TRACE", "/predict", id="a strange method"),
    pytest.param("GET", f"{ADMIN}/bundles", id="admin"),
]


@dataclass(frozen=True)
class Keys:
    """A file of one key for each scope."""

    path: Path
    predict: str
    metrics: str
    admin: str


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    _, predict = create_key(path, "predict", "mobile")
    _, metrics = create_key(path, "metrics", "scraper")
    _, admin = create_key(path, "admin", "operator")
    return Keys(path, predict, metrics, admin)


@contextmanager
def serving(world: World, **told: Any) -> Iterator[TestClient]:  # noqa: ANN401 - settings
    """Run a service with these settings."""
    settings = Settings(bundles=world.bundles, threads=1, **told)
    with TestClient(create_app(settings)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(world: World, keys: Keys) -> Iterator[TestClient]:
    with serving(world, keys=keys.path, rate_refused="100000/second") as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def problem(answer: httpx2.Response, slug: str) -> dict[str, Any]:
    """Return the problem that an answer is."""
    (kind,) = (kind for kind in PROBLEM_TYPES if kind.slug == slug)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["type"]) == (kind.status, kind.uri)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_a_key_nobody_comes_in(
    guarded: TestClient, method: str, path: str
) -> None:
    answer = guarded.request(method, path)

    said = problem(answer, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="nextvec"'
    assert "Authorization: Bearer KEY or X-API-Key: KEY, got none" in said["detail"]


@pytest.mark.parametrize("path", sorted(PROBES | PAGES))
def test_probes_and_pages_are_open(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_no_page_is_forgotten() -> None:
    assert {getattr(route, "path", None) for route in pages_router().routes} == PAGES


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(bearer, id="bearer"),
        pytest.param(
            lambda key: {"authorization": f"bEARER  {key} "}, id="in any case"
        ),
        pytest.param(lambda key: {"X-API-Key": key}, id="a header of its own"),
        pytest.param(
            lambda key: {"Authorization": "Basic bWU6bWU=", "X-API-Key": key},
            id="beside what a proxy asks for",
        ),
    ],
)
def test_a_valid_key_is_answered(
    guarded: TestClient,
    keys: Keys,
    context: list[str],
    headers: Any,  # noqa: ANN401 - a function
) -> None:
    answer = guarded.post(
        "/predict", json={"ids": context}, headers=headers(keys.predict)
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda key: bearer(key[:-1]), id="cut off"),
        pytest.param(lambda key: bearer(key.upper()), id="upper case"),
        pytest.param(lambda key: bearer(f"{key[:-1]}g"), id="one letter"),
        pytest.param(lambda _: bearer(""), id="empty"),
        pytest.param(lambda key: {"Authorization": key}, id="no scheme"),
        pytest.param(lambda key: {"Authorization": f"Basic {key}"}, id="basic"),
        pytest.param(
            lambda key: bearer("wrong") | {"X-API-Key": key},
            id="the bearer comes first",
        ),
        pytest.param(lambda _: {"X-API-Key": "\xe9" * 81}, id="not ASCII"),
        pytest.param(lambda _: {"X-API-Key": "x" * 50_000}, id="long"),
    ],
)
def test_anything_else_is_not(guarded: TestClient, keys: Keys, headers: Any) -> None:  # noqa: ANN401 - a function
    given = {
        name: value.encode("latin-1") for name, value in headers(keys.predict).items()
    }

    problem(guarded.get("/info", headers=given), "unauthenticated")


def test_a_key_in_the_address_is_none(guarded: TestClient, keys: Keys) -> None:
    answer = guarded.get("/info", params={"api_key": keys.admin, "key": keys.admin})

    problem(answer, "unauthenticated")


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("predict", "/info", 200),
        ("predict", "/metrics", 403),
        ("predict", f"{ADMIN}/bundles", 403),
        ("predict", ADMIN, 403),
        ("predict", "/nosuch", 404),
        ("metrics", "/metrics", 200),
        ("metrics", "/info", 403),
        ("metrics", f"{ADMIN}/bundles", 403),
        ("admin", "/metrics", 200),
        ("admin", "/info", 200),
        # nothing is there, but the guard lets through to see it
        ("admin", f"{ADMIN}/nosuch", 404),
    ],
)
def test_a_key_is_good_for_its_scope(
    guarded: TestClient, keys: Keys, scope: str, path: str, status: int
) -> None:
    answer = guarded.get(path, headers=bearer(getattr(keys, scope)))

    assert answer.status_code == status
    if status == 403:
        said = problem(answer, "forbidden")
        assert f"got one of {scope}" in said["detail"]
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/%61dmin/x", "/admin/%2e%2e/info", "/admin//x"])
def test_no_way_of_writing_it_leads_around_the_guard(
    guarded: TestClient, keys: Keys, path: str
) -> None:
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers=bearer(keys.predict)).status_code == 403


async def _answered(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


def small(ring: KeyRing, **told: Any) -> Guard:  # noqa: ANN401 - settings
    """Return a guard before an app that has a route for admins, whatever its keys."""
    routes = [Route(path, _answered) for path in ("/info", "/admin/bundles", "/readyz")]
    return Guard(
        Starlette(routes=routes),
        ring=ring,
        settings=Settings(**told),
        metrics=Metrics(lambda: 0),
    )


def test_admin_routes_are_for_keys_of_that_scope_alone(keys: Keys) -> None:
    client = TestClient(small(KeyRing(keys.path)))

    assert client.get("/admin/bundles").status_code == 401
    assert client.get("/admin/bundles", headers=bearer(keys.predict)).status_code == 403
    assert client.get("/admin/bundles", headers=bearer(keys.admin)).status_code == 200


def test_without_keys_admin_routes_are_not_there_even_if_they_are(
    tmp_path: Path,
) -> None:
    client = TestClient(small(KeyRing(tmp_path / "keys.json")))

    assert client.get("/info").status_code == 200
    for path in ("/admin/bundles", "/admin"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["title"]) == (
            404,
            "There is nothing at this path",
        )


def test_the_first_key_brings_the_admin_routes_while_it_runs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextvec.app.access.key_ring.LOOKS_EVERY_S", 0.0)
    monkeypatch.setattr("nextvec.app.settings.KEYS", tmp_path / "keys.json")

    def described() -> set[str]:
        paths = client.get("/openapi.json").json()["paths"]
        return {path for path in paths if path.startswith(ADMIN)}

    with serving(world) as client:
        problem(client.get(f"{ADMIN}/bundles"), "not-found")
        assert described() == set()

        _, secret = create_key(tmp_path / "keys.json", "admin")

        problem(client.get(f"{ADMIN}/bundles"), "unauthenticated")
        told = client.get(f"{ADMIN}/bundles", headers=bearer(secret))
        assert told.json()["serving"] == world.version
        assert described() == {
            f"{ADMIN}/{name}" for name in ("bundles", "promote", "rollback")
        }


def test_where_the_app_is_mounted_its_own_paths_count(keys: Keys) -> None:
    outer = Starlette(routes=[Mount("/deep", small(KeyRing(keys.path)))])
    client = TestClient(outer)

    assert client.get("/deep/readyz").status_code == 200
    assert client.get("/deep/info").status_code == 401
    headers = bearer(keys.predict)
    assert client.get("/deep/info", headers=headers).status_code == 200
    assert client.get("/deep/admin/bundles", headers=headers).status_code == 403


def test_the_body_is_not_read_before_the_key_is(keys: Keys) -> None:
    sent: list[Message] = []

    async def never() -> Message:
        pytest.fail("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "headers": [(b"content-length", b"8000000")],
            "client": ("192.0.2.1", 1),
        }
        await small(KeyRing(keys.path))(scope, never, send)

    asyncio.run(ask())

    assert sent[0]["status"] == 401


def test_no_key_is_logged_but_its_name_is(
    guarded: TestClient, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        guarded.get("/info", headers=bearer(keys.predict))
        guarded.get("/metrics", headers=bearer(keys.predict))
        guarded.get("/info", headers={"X-API-Key": keys.admin[:-1]})

    lines = [
        vars(record) for record in caplog.records if record.msg == "request answered"
    ]
    assert [(line["status"], line.get("key")) for line in lines] == [
        (200, "mobile"),
        (403, "mobile"),
        (401, None),
    ]
    assert [line.get("address") for line in lines] == [None, "unknown", "unknown"]
    text = " ".join(str(vars(record)) for record in caplog.records)
    for key in (keys.predict, keys.admin):
        assert key[:-1].rpartition("_")[2] not in text


def test_metrics_count_what_was_refused(guarded: TestClient, keys: Keys) -> None:
    def counted(reason: str) -> float:
        text = guarded.get("/metrics", headers=bearer(keys.metrics)).text
        start = f'nextvec_refused_total{{reason="{reason}"}} '
        lines = [line for line in text.splitlines() if line.startswith(start)]
        return float(lines[0].removeprefix(start)) if lines else 0.0

    before = counted("unauthenticated"), counted("forbidden")

    guarded.get("/info")
    guarded.get("/metrics", headers=bearer(keys.predict))

    after = counted("unauthenticated"), counted("forbidden")
    assert after == (before[0] + 1, before[1] + 1)


def test_keys_that_break_while_serving_let_nobody_in(
    world: World,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nextvec.app.access.key_ring.LOOKS_EVERY_S", 0.0)
    path = tmp_path / "keys.json"
    path.write_bytes(keys.path.read_bytes())
    with serving(world, keys=path) as client:
        headers = bearer(keys.predict)
        assert client.get("/info", headers=headers).status_code == 200

        path.write_text("{")

        answer = client.get("/info", headers=headers)
        said = problem(answer, "keys-unusable")
        assert str(path) not in said["detail"]
        assert answer.headers["retry-after"] == "1"
        # what needs no key still needs none, and what has none gets what it always got
        assert client.get("/readyz").status_code == 200
        problem(client.get("/info"), "unauthenticated")


@pytest.mark.parametrize("content", [None, "{"], ids=["missing", "broken"])
def test_a_service_whose_keys_cannot_be_used_does_not_start(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(KeyFileError, match=str(path)):
        create_app(Settings(keys=path))


def test_who_may_ask_is_said_at_the_start(
    world: World,
    keys: Keys,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def said(**told: Any) -> tuple[str, str]:  # noqa: ANN401 - settings
        caplog.clear()
        with caplog.at_level(logging.INFO), serving(world, **told):
            pass
        (record,) = (r for r in caplog.records if r.name == "nextvec.app.api.guard")
        return record.levelname, record.message

    assert said(keys=keys.path) == ("INFO", "a key is needed")
    assert said() == ("INFO", "everyone is answered: there are no keys")
    assert said(host="0.0.0.0") == (  # noqa: S104 - that is what is warned of
        "WARNING",
        "everyone is answered: there are no keys",
    )


def test_a_key_may_ask_so_often_and_another_is_not_held_by_it(
    world: World,
    keys: Keys,
) -> None:
    with serving(world, keys=keys.path, rate_per_key="3/hour") as client:
        # what it is not for is counted as well
        for path, status in (("/info", 200), ("/metrics", 403), ("/info", 200)):
            found = client.get(path, headers=bearer(keys.predict))
            assert found.status_code == status

        answer = client.get("/info", headers=bearer(keys.predict))

        said = problem(answer, "rate-limited")
        assert "expected at most 3/hour of one key" in said["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 7201
        assert client.get("/info", headers=bearer(keys.admin)).status_code == 200
        assert client.get("/livez").status_code == 200


def test_a_batch_counts_as_its_contexts(
    world: World,
    keys: Keys,
    context: list[str],
) -> None:
    with serving(world, keys=keys.path, rate_per_key="10/hour") as client:

        def ask(contexts: int) -> httpx2.Response:
            return client.post(
                "/predict/batch",
                json={"ids": contexts * [context]},
                headers=bearer(keys.predict),
            )

        assert ask(8).status_code == 200
        # two are left: the door takes one, and not two more
        said = problem(ask(3), "rate-limited")
        assert "got more" in said["detail"]
        assert ask(1).status_code == 200
        problem(ask(1), "rate-limited")

    with serving(world, keys=keys.path, rate_per_key="10/hour") as client:
        answer = ask(11)
        said = problem(answer, "rate-limited")["detail"]
        assert "got 11 at once, which never fit" in said
        assert "retry-after" not in answer.headers


def test_an_address_is_limited_without_keys_too_and_by_contexts(
    world: World,
    context: list[str],
) -> None:
    with serving(world, rate_per_address="5/hour") as client:
        body = {"ids": 4 * [context]}
        assert client.post("/predict/batch", json=body).status_code == 200
        problem(client.post("/predict/batch", json=body), "rate-limited")
        answer = client.get("/info")
        assert "5/hour of one address" in problem(answer, "rate-limited")["detail"]
        # pages are counted, probes are not
        problem(client.get("/"), "rate-limited")
        assert client.get("/readyz").status_code == 200


def test_who_tries_keys_is_told_to_wait_and_a_valid_one_still_comes_in(
    world: World,
    keys: Keys,
) -> None:
    with serving(world, keys=keys.path, rate_refused="3/hour") as client:
        wrong = bearer(keys.predict[:-1] + "x")
        for _ in range(3):
            problem(client.get("/info", headers=wrong), "unauthenticated")

        answer = client.get("/info", headers=wrong)

        problem(answer, "rate-limited")
        assert int(answer.headers["retry-after"]) >= 1
        # a neighbor behind the same address is not locked out
        assert client.get("/info", headers=bearer(keys.predict)).status_code == 200


def asked_by(guard: Any, addresses: list[str], **headers: str) -> list[int]:  # noqa: ANN401 - an app
    """Return the statuses of one request from each address."""
    statuses = []
    for address in addresses:
        client = TestClient(guard, client=(address, 1))
        statuses.append(client.get("/info", headers=headers).status_code)
    return statuses


def test_addresses_are_counted_each_and_of_ipv6_each_network(tmp_path: Path) -> None:
    guard = small(KeyRing(tmp_path / "keys.json"), rate_per_address="2/hour")

    assert asked_by(guard, 3 * ["192.0.2.1"]) == [200, 200, 429]
    assert asked_by(guard, ["192.0.2.2", "::ffff:192.0.2.1"]) == [200, 429]
    same = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"]
    assert asked_by(guard, same) == [200, 200, 429]
    assert asked_by(guard, ["2001:db8:0:2::1"]) == [200]


@pytest.mark.parametrize(
    ("proxies", "statuses"),
    [
        pytest.param(None, [200, 429], id="nobody is believed"),
        pytest.param("10.0.0.1, 192.0.2.0/24", [200, 200], id="a proxy is"),
        pytest.param("10.0.0.1", [200, 429], id="but no other"),
    ],
)
def test_what_a_proxy_forwards_is_believed_only_of_those_told(
    world: World,
    proxies: str | None,
    statuses: list[int],
) -> None:
    settings = Settings(
        bundles=world.bundles,
        threads=1,
        rate_per_address="1/hour",
        trusted_proxies=proxies,
    )
    app = create_app(settings)
    with TestClient(app, client=("192.0.2.9", 1)) as client:
        found = [
            client.get("/info", headers={"X-Forwarded-For": f"203.0.113.{n}"})
            for n in (1, 2)
        ]

    assert [answer.status_code for answer in found] == statuses
