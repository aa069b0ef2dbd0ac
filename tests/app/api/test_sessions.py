"""Sessions over HTTP: opened, given vectors, asked about, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from nextvec.app.api.app import create_app
from nextvec.app.settings import Settings
from tests.app.asking import JSON, OCTETS, ask, assert_problem, service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.app.conftest import World


@pytest.fixture(scope="module")
def items(make_item_world: Callable[..., World]) -> World:
    return make_item_world(returning=True)


@pytest.fixture(scope="module")
def item_client(items: World) -> Iterator[TestClient]:
    settings = Settings(bundles=items.bundles, threads=1)
    with TestClient(create_app(settings)) as running:
        yield running


def ids_of(world: World, count: int) -> list[str]:
    return [world.corpus.ids[row] for row in world.corpus.known(0)[:count]]


def opened(client: TestClient, **fields: object) -> dict[str, Any]:
    answer = client.post("/sessions", **({"json": fields} if fields else {}))  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    content: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/sessions/{content['session']}"
    return content


def append(client: TestClient, name: str, **fields: object) -> dict[str, Any]:
    answer = client.post(f"/sessions/{name}", json=fields)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def assert_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    ids = [[n["id"] for n in one["neighbors"]] for one in (found, expected)]
    assert ids[0] == ids[1]
    np.testing.assert_allclose(
        [n["score"] for n in found["neighbors"]],
        [n["score"] for n in expected["neighbors"]],
        atol=1e-4,
    )
    assert found["num_context"] == expected["num_context"]


def test_each_new_id_is_answered_as_all_of_them_are(
    item_client: TestClient, items: World
) -> None:
    ids = ids_of(items, 20)
    session = opened(item_client)
    facts = item_client.get("/info").json()["sessions"]
    assert facts["reads"] == "new"
    assert facts["state_bytes"] == 4 * (8 + 100 * (8 + 64))
    assert session["num_vectors"] == 0
    assert session["reads"] == "new"
    assert "prediction" not in session

    for end in range(1, 21):
        found = append(item_client, session["session"], ids=ids[end - 1 : end], k=4)

        assert_alike(found, ask(item_client, ids=ids[:end], k=4))


def test_a_session_may_begin_with_a_context(
    item_client: TestClient, items: World
) -> None:
    ids = ids_of(items, 12)

    session = opened(item_client, ids=ids[:10], return_vector=True)

    whole = ask(item_client, ids=ids[:10], return_vector=True)
    assert_alike(session["prediction"], whole)
    assert session["num_context"] == 10
    found = append(item_client, session["session"], ids=ids[10:])
    assert_alike(found, ask(item_client, ids=ids))


def test_a_network_that_reads_anew_says_so_and_answers(
    client: TestClient, world: World, context: list[str]
) -> None:
    session = opened(client, ids=context[:50])
    assert session["reads"] == "anew"

    found = append(client, session["session"], ids=context[50:51])

    assert_alike(found, ask(client, ids=context[:51]))
    reads = client.get("/info").json()["sessions"]
    assert reads == {"reads": "anew", "state_bytes": 0}
    del world


def test_vectors_texts_and_octets_are_taken_as_predict_takes_them(
    client: TestClient, world: World, context: list[str]
) -> None:
    vectors = world.corpus.vectors[130:133]
    name = opened(client, context=vectors[:1].tolist())["session"]

    append(client, name, context=[vectors[1].tolist(), {"id": context[2]}])
    answer = client.post(
        f"/sessions/{name}?k=3", content=vectors[2].tobytes(), headers=OCTETS
    )

    assert answer.status_code == 200
    whole = ask(client, context=vectors[[0, 1, 2, 2]].tolist(), k=3)
    assert_alike(answer.json(), whole)
    assert "queue;dur=" in answer.headers["server-timing"]


def test_a_session_is_described_and_forgotten(
    item_client: TestClient, items: World
) -> None:
    name = opened(item_client, ids=ids_of(items, 3))["session"]
    session = item_client.get(f"/sessions/{name}").json()
    assert session == {
        "session": name,
        "num_vectors": 3,
        "num_context": 3,
        "max_context": 100,
        "reads": "new",
        "size_bytes": session["size_bytes"],
        "idle_s": 1800.0,
        "bundle": items.version,
    }
    assert session["size_bytes"] > 0

    assert item_client.delete(f"/sessions/{name}").status_code == 204

    for answer in (
        item_client.get(f"/sessions/{name}"),
        item_client.delete(f"/sessions/{name}"),
        item_client.post(f"/sessions/{name}", json={"ids": ids_of(items, 1)}),
    ):
        assert_problem(answer, "session-gone", "deleted")
    assert_problem(item_client.get("/sessions/x"), "unknown-session", "the name")


def test_a_body_that_cannot_be_used_opens_nothing_and_changes_nothing(
    item_client: TestClient, items: World
) -> None:
    sessions = service_of(item_client).sessions
    name = opened(item_client, ids=ids_of(items, 3))["session"]
    before = len(sessions)

    refused = item_client.post("/sessions", json={"ids": ["nobody"]})
    appended = item_client.post(f"/sessions/{name}", json={"ids": []})
    options_alone = item_client.post("/sessions?k=3")

    assert_problem(refused, "unknown-id", "nobody")
    assert_problem(options_alone, "invalid-option", "got no body")
    assert_problem(appended, "invalid-context", "1 to 100")
    assert len(sessions) == before
    assert item_client.get(f"/sessions/{name}").json()["num_vectors"] == 3


def test_too_many_sessions_end_the_old_ones(items: World) -> None:
    settings = Settings(bundles=items.bundles, threads=1, max_sessions=2)
    with TestClient(create_app(settings)) as client:
        names = [opened(client)["session"] for _ in range(3)]
        evicted = client.get(f"/sessions/{names[0]}")
        metrics = client.get("/metrics").text

    assert_problem(evicted, "session-gone", "room for 2 sessions")
    assert 'nextvec_sessions_gone_total{reason="evicted"} 1.0' in metrics
    assert "\nnextvec_sessions 2.0" in metrics
    assert "\nnextvec_session_bytes 0.0" in metrics
    # the same name in a service that was started anew
    with TestClient(create_app(settings)) as client:
        assert_problem(
            client.get(f"/sessions/{names[2]}"), "session-gone", "before the service"
        )


def test_steps_are_counted_by_what_they_read(
    items: World, world: World, context: list[str]
) -> None:
    for bundles, ids, counted in (
        (items.bundles, ids_of(items, 2), ("new", 2)),
        (world.bundles, context[:2], ("anew", 1)),
    ):
        settings = Settings(bundles=bundles, threads=1)
        with TestClient(create_app(settings)) as client:
            name = opened(client, ids=ids[:1])["session"]
            append(client, name, ids=ids[1:])
            metrics = client.get("/metrics").text
        reads, count = counted
        assert f'nextvec_session_steps_total{{reads="{reads}"}} {count}.0' in metrics


def test_a_client_may_hold_its_session(item_client: TestClient, items: World) -> None:
    ids, before = ids_of(items, 15), len(service_of(item_client).sessions)
    state: str | None = None

    for end in range(1, 16):
        body = {"ids": ids[end - 1 : end], "k": 4, "state": state}
        answer = item_client.post("/step", json=body)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        state = str(content.pop("state"))

        assert_alike(content, ask(item_client, ids=ids[:end], k=4))
        # and the service keeps none of it
        assert len(state) < 20_000
    assert len(service_of(item_client).sessions) == before


@pytest.mark.parametrize(
    ("body", "slug", "words"),
    [
        pytest.param(b'{"ids": ["item1"], "state": 3}', "invalid-state", "a string"),
        pytest.param(b'{"ids": ["item1"], "state": "x"}', "invalid-state", "signed"),
        pytest.param(b'{"state": null}', "invalid-context", "none of them"),
        pytest.param(b"[]", "malformed-body", "expected a JSON object", id="a list"),
        pytest.param(b"{", "malformed-body", "JSON", id="no JSON"),
    ],
)
def test_what_is_no_step_is_refused(
    item_client: TestClient, body: bytes, slug: str, words: str
) -> None:
    answer = item_client.post("/step", content=body, headers=JSON)

    assert_problem(answer, slug, words)


def test_a_step_is_json(item_client: TestClient) -> None:
    octets = item_client.post("/step", content=b"\0\0\0?", headers=OCTETS)
    nothing = item_client.post("/step")

    assert_problem(octets, "unsupported-media-type", "application/json")
    assert_problem(nothing, "unsupported-media-type", "no content type")


def test_a_key_of_the_settings_outlives_the_process(items: World) -> None:
    kept = Settings(
        bundles=items.bundles, threads=1, session_key=SecretStr("a key of sixteen")
    )
    ids = ids_of(items, 2)
    with TestClient(create_app(kept)) as client:
        state = client.post("/step", json={"ids": ids[:1]}).json()["state"]

    with TestClient(create_app(kept)) as client:
        found = client.post("/step", json={"ids": ids[1:], "state": state})
        whole = ask(client, ids=ids)

    content = found.json()
    assert content.pop("state") != state
    assert_alike(content, whole)
