"""The whole way of the service for a network of items that has learned."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.known import KNOWN
from nextvec.app.inference.engine import Engine, Query, answer
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.checkpoint import load_checkpoint, save_weights
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.run_folder import WEIGHTS
from nextvec.training.vectors import Int64, l2_normalize
from tests.app.asking import OCTETS, ask
from tests.app.sealing import change, fields_of, reseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.app.conftest import World

LENGTH = 37


@pytest.fixture(scope="module")
def items(make_item_world: Callable[..., World]) -> World:
    """Sessions in which items return, so that a network may copy."""
    return make_item_world(returning=True)


@pytest.fixture(scope="module")
def item_engine(items: World) -> Engine:
    return Engine(load_bundle(items.bundles / items.version))


@pytest.fixture(scope="module")
def item_client(items: World) -> Iterator[TestClient]:
    settings = Settings(bundles=items.bundles, threads=1)
    with TestClient(create_app(settings)) as running:
        yield running


def rows_of(world: World) -> Int64:
    return world.corpus.known(0)[:LENGTH]


def slow_scores(engine: Engine, rows: Int64) -> np.ndarray:
    """Score the whole catalogue after a context, item by item."""
    model = engine.bundle.checkpoint.model
    assert model.items is not None
    with torch.inference_mode():
        unit_ND = model.items.unit()
        found = model.predict(
            unit_ND[torch.from_numpy(rows)][None], torch.tensor([len(rows)])
        )
        weight_N = (unit_ND @ found.vectors[0] + model.items.bias_N).double().exp()
    score_N: np.ndarray = weight_N.numpy()
    assert found.copies is not None
    for row, weight in zip(rows.tolist(), found.copies[0].double(), strict=True):
        score_N[row] += float(weight.exp())
    return np.asarray(np.log(score_N))


def test_the_index_holds_what_was_learned(items: World, item_engine: Engine) -> None:
    bundle = item_engine.bundle
    model = bundle.checkpoint.model

    assert model.items is not None
    assert model.copying is not None
    learned = model.items.unit().detach().numpy()
    np.testing.assert_allclose(bundle.index.vectors, learned, atol=1e-6)
    bias_N = model.items.bias_N.detach().numpy()
    np.testing.assert_allclose(bundle.index.hubness, -bias_N)
    given = bundle.checkpoint.transform.apply(items.corpus.vectors)
    assert np.abs(learned - given).max() > 0.1
    assert KNOWN in bundle.manifest.files
    assert bundle.known is not None
    assert len(bundle.known) == len(items.corpus.vectors)


def test_an_answer_is_the_best_of_a_slow_sum(
    items: World, item_engine: Engine, item_client: TestClient
) -> None:
    rows = rows_of(items)
    score_N = slow_scores(item_engine, rows)
    best = np.lexsort((np.arange(len(score_N)), -score_N))[:30]

    found = ask(item_client, ids=[items.corpus.ids[r] for r in rows], k=30)

    names = [neighbor["id"] for neighbor in found["neighbors"]]
    assert names == [items.corpus.ids[row] for row in best.tolist()]
    scores = [neighbor["score"] for neighbor in found["neighbors"]]
    np.testing.assert_allclose(scores, score_N[best], atol=1e-4)
    bare_N = slow_scores(item_engine, rows[-1:])
    assert np.argsort(-bare_N)[:30].tolist() != best.tolist()


def test_ids_numbers_and_octets_of_any_length_get_the_same_answer(
    items: World, item_client: TestClient
) -> None:
    rows = rows_of(items)
    given = np.array(items.corpus.vectors[rows], dtype=np.float32)

    by_id = ask(item_client, ids=[items.corpus.ids[r] for r in rows], k=90)
    others = [
        ask(item_client, context=given.tolist(), k=90),
        ask(item_client, context=(3.3 * given).tolist(), k=90),
        *(
            item_client.post(
                "/predict?k=90", content=sent.tobytes(), headers=OCTETS
            ).json()
            for sent in (given, np.float32(0.017) * given)
        ),
    ]

    for other in others:
        assert other["neighbors"] == by_id["neighbors"]


def test_a_vector_that_is_no_item_is_read_as_it_is(
    items: World, item_engine: Engine
) -> None:
    rng = np.random.default_rng(8)
    given = l2_normalize(np.array(items.corpus.vectors[rows_of(items)]))
    given[11] = l2_normalize(rng.normal(size=(1, given.shape[1])))[0]
    index, model = item_engine.bundle.index, item_engine.bundle.checkpoint.model
    read = np.array(index.vectors[rows_of(items)])
    read[11] = item_engine.bundle.checkpoint.transform.apply(given[[11]])[0]
    with torch.inference_mode():
        expected = model.predict(torch.from_numpy(read)[None], torch.tensor([LENGTH]))
    assert expected.copies is not None
    rows = rows_of(items).copy()
    rows[11] = -1

    (found,) = answer([Query(engine=item_engine, context=given, k=90)] * 1)
    query = Query(engine=item_engine, context=given, k=90, exclude_context=False)
    (copied,) = answer([query])

    score_N = index.vectors @ expected.vectors[0].numpy() - index.hubness
    left_out = (index.vectors @ read.T).max(axis=1) >= 1 - 1e-5
    bare = np.where(left_out, -np.inf, score_N)
    assert found.found.rows[0] == bare.argmax()
    weight_N = np.exp(score_N.astype(np.float64))
    known = rows >= 0
    copies = expected.copies[0].double().exp().numpy()
    np.add.at(weight_N, rows[known], copies[known])
    np.testing.assert_allclose(
        copied.found.scores, np.sort(np.log(weight_N))[::-1], atol=1e-4
    )


def test_one_context_says_nothing_of_another(items: World, item_engine: Engine) -> None:
    """Whatever is asked at the same time, and before."""
    contexts = [items.corpus.known(n)[: 5 + 3 * n] for n in range(7)]
    queries = [
        Query(engine=item_engine, rows=rows, k=20, exclude_context=False)
        for rows in contexts
    ]

    together = answer(queries)
    back = answer(queries[::-1])[::-1]
    alone = [answer([query])[0] for query in queries]

    for one, other, third in zip(together, back, alone, strict=True):
        assert one.found.rows.tolist() == third.found.rows.tolist()
        assert other.found.rows.tolist() == third.found.rows.tolist()
        np.testing.assert_allclose(one.found.scores, third.found.scores, atol=1e-5)


def test_ranks_through_the_index_are_the_exact_ones_with_copies(
    item_client: TestClient,
) -> None:
    # of ninety items drawn by lot: deep enough for every rank to be seen
    cuts = [5, 10, 20, 30, 40, 50, 60, 70, 80, 89]

    report = item_client.get("/metrics/hitk", params={"k": cuts}).json()

    (pool,) = report["pools"]
    assert pool["exact"]["hit_at"] == pool["index"]["hit_at"]
    values = {estimate["value"] for estimate in pool["exact"]["hit_at"].values()}
    assert len(values) > 4
    recorded = pool["recorded"]["validation"]
    assert pool["exact"]["hit_at"]["10"] == recorded["hit_at"]["10"]
    assert recorded["bits"]["value"] > 0


def test_a_bundle_of_items_can_rank_by_cosine_alone(
    items: World, tmp_path: Path
) -> None:
    plain = build_bundle(items.run, tmp_path, plain_cosine=True, engine="eager")
    engine = Engine(plain)
    rows = rows_of(items)
    Registry(tmp_path).make_live(plain)

    query = Query(engine=engine, rows=rows, k=90, exclude_context=False)
    (found,) = answer([query])

    prediction = engine.predict([plain.index.vectors[rows]]).unit()[0].numpy()
    cosine_N = plain.index.vectors @ prediction
    assert found.found.rows.tolist() == np.argsort(-cosine_N, kind="stable").tolist()
    assert found.cosines is not None
    np.testing.assert_allclose(found.found.scores, found.cosines, atol=1e-6)
    with TestClient(create_app(Settings(bundles=tmp_path, threads=1))) as client:
        (pool,) = client.get("/metrics/hitk").json()["pools"]
    assert pool["exact"]["hit_at"] == pool["index"]["hit_at"]


def test_a_network_that_learned_nothing_answers_by_how_often_items_occur(
    items: World, tmp_path: Path
) -> None:
    folder = tmp_path / items.version
    shutil.copytree(items.bundles / items.version, folder)
    checkpoint = load_checkpoint(folder)
    state = checkpoint.model.state_dict()
    for name in state:
        if name.startswith("head."):
            state[name] = torch.zeros_like(state[name])
    save_weights(folder / WEIGHTS, state, checkpoint.transform)
    bundle = reseal(folder, items.corpus)
    Registry(tmp_path).make_live(bundle)
    rows = rows_of(items)

    with TestClient(create_app(Settings(bundles=tmp_path, threads=1))) as client:
        asked = {"ids": [items.corpus.ids[r] for r in rows], "return_vector": True}
        found = client.post("/predict", json=asked | {"exclude_context": True})
        report = client.get("/metrics/hitk").json()

    (best, *_) = found.json()["neighbors"]
    free = sorted(set(range(90)) - set(rows.tolist()))
    often = free[int(np.argmin(bundle.index.hubness[free]))]
    assert best["id"] == items.corpus.ids[often]
    assert best["cosine"] == 0
    assert np.isfinite(found.json()["vector"]).all()
    assert report["mean_cosine"] == 0


def test_a_bundle_of_items_without_known_vectors_is_refused(
    items: World, tmp_path: Path
) -> None:
    folder = tmp_path / items.version
    shutil.copytree(items.bundles / items.version, folder)
    told = fields_of(folder)
    del told["files"][KNOWN], told["sizes"][KNOWN]
    change(folder, **told)

    with pytest.raises(BundleError, match=r"the bundle lists no known\.npy"):
        load_bundle(folder)


def test_known_vectors_of_another_catalogue_are_refused(
    items: World, tmp_path: Path
) -> None:
    folder = tmp_path / items.version
    shutil.copytree(items.bundles / items.version, folder)
    np.save(folder / KNOWN, np.load(folder / KNOWN)[:-1])

    with pytest.raises(IndexMismatchError, match="in the index, but 89 known vectors"):
        reseal(folder, items.corpus)


def test_documents_have_no_known_items(engine: Engine) -> None:
    assert engine.bundle.known is None
    assert KNOWN not in engine.bundle.manifest.files
