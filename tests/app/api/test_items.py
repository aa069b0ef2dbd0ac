"""The whole way of the service for item sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.settings import Settings
from nextvec.training.evaluation.suite_store import load_suite
from nextvec.training.run_folder import VALIDATION
from tests.app.asking import ask, assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.app.conftest import World


@pytest.fixture(scope="module", params=[True, False], ids=["return", "never return"])
def sessions(
    request: pytest.FixtureRequest, make_item_world: Callable[..., World]
) -> tuple[World, bool]:
    return make_item_world(returning=request.param), request.param


@pytest.fixture(scope="module")
def item_client(sessions: tuple[World, bool]) -> Iterator[TestClient]:
    settings = Settings(bundles=sessions[0].bundles, threads=1)
    with TestClient(create_app(settings)) as running:
        yield running


def context_of(world: World, length: int = 30) -> list[str]:
    return [world.corpus.ids[row] for row in world.corpus.known(0)[:length].tolist()]


def test_fresh_figures_of_items_equal_the_recorded_ones(
    sessions: tuple[World, bool], item_client: TestClient
) -> None:
    world, returning = sessions
    suite = load_suite(world.bundles / world.version / VALIDATION)

    report = item_client.get("/metrics/hitk").json()

    (pool,) = report["pools"]
    recorded = pool["recorded"]["validation"]
    assert pool["pool"] == "index"
    assert pool["num_candidates"] == 90
    assert pool["exact"]["hit_at"] == pool["index"]["hit_at"] == recorded["hit_at"]
    assert pool["lift"] == {"k": 10} | recorded["lift"]
    assert report["k"] == 10
    assert report["context_excluded"] is not returning
    assert report["num_unseen"] == (suite.windows.target_rows < 0).sum()
    included = pool["index"]["hit_context_included"]
    assert included == recorded["hit_context_included"]
    assert (included is None) == returning


def test_an_item_of_the_context_is_an_answer_only_where_items_return(
    sessions: tuple[World, bool], item_client: TestClient
) -> None:
    world, returning = sessions
    ids = context_of(world)

    found = item_client.post("/predict", json={"ids": ids, "k": 90}).json()
    asked = {"ids": ids, "k": 90, "exclude_context": returning}
    other = item_client.post("/predict", json=asked).json()

    names = {neighbor["id"] for neighbor in found["neighbors"]}
    assert (set(ids) <= names) == returning
    assert len(names) == 90 - (0 if returning else len(ids))
    others = {neighbor["id"] for neighbor in other["neighbors"]}
    assert (set(ids) <= others) != returning
    assert found["neighbors"][0]["document"] is None


def test_octets_follow_the_same_rule(
    sessions: tuple[World, bool], item_client: TestClient
) -> None:
    world, returning = sessions
    rows = world.corpus.known(0)[:30]
    body = np.asarray(world.corpus.vectors[rows], dtype="<f4").tobytes()

    answer = item_client.post(
        "/predict?k=90",
        content=body,
        headers={"Content-Type": "application/octet-stream"},
    ).json()

    found = {neighbor["id"] for neighbor in answer["neighbors"]}
    assert (set(context_of(world)) <= found) == returning


def test_documents_mean_nothing_to_items(item_client: TestClient) -> None:
    body = {"ids": ["item1", "item2"], "documents": ["session1"]}

    found = ask(item_client, ids=["item1", "item2"], k=1)["neighbors"][0]
    refused = item_client.post("/predict", json=body)

    assert (found["document"], found["position"]) == (None, None)
    assert_problem(refused, "not-applicable", "belong to no one document")


def test_bundles_of_items_hold_targets_without_a_vector(
    sessions: tuple[World, bool],
) -> None:
    world, _ = sessions
    suite = load_suite(world.bundles / world.version / VALIDATION)

    assert suite.kind == "items"
    assert suite.num_unseen > 0
