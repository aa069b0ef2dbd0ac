"""A closed form over ids, from the run that it beat to the answers of the service."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from fastapi.testclient import TestClient

import nextvec
from nextvec.app.api.app import create_app
from nextvec.app.bundle.bundle import load_bundle, load_parts
from nextvec.app.bundle.manifest import Manifest
from nextvec.app.inference.baseline_engine import BaselineEngine, best_first, engine_of
from nextvec.app.inference.engine import Query
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.baseline_run import baseline_run
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import BundleError
from nextvec.training.files import read_json, write_json
from nextvec.training.run import train
from nextvec.training.run_folder import CARD, ITEM_BASELINE
from nextvec.training.vectors import l2_normalize
from tests.app.asking import ask
from tests.app.commands.test_commands import run as run_command
from tests.app.sealing import change, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS, DIM = 40, 8


class Served(NamedTuple):
    corpus: Corpus
    run: Path
    runs: Path
    bundles: Path
    version: str


def leaping(*, returning: bool) -> Corpus:
    """Sessions that leap, each as far as it did before, or that never return."""
    rng = np.random.default_rng(5)
    length = 44 if returning else 36
    entries = []
    for _ in range(60):
        leap = rng.integers(1, 14)
        rows = (rng.integers(ITEMS) + leap * np.arange(length)) % ITEMS
        if not returning:
            rows = rng.permutation(ITEMS)[:length]
            # what follows an even item is mostly its neighbor
            rows = np.array(list(dict.fromkeys(np.ravel([[r, r ^ 1] for r in rows]))))
            rows = rows[:length]
        entries.append(rows)
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(ITEMS, DIM))),
        ids=[f"item{i}" for i in range(ITEMS)],
        rows=np.concatenate(entries),
        offsets=np.concatenate([[0], np.cumsum([len(e) for e in entries])]),
        document_ids=[f"session{s}" for s in range(len(entries))],
        card=CorpusCard(name="leaps", encoder="none", source="made by a test"),
        kind="items",
    )


@pytest.fixture(scope="module", params=[True, False], ids=["return", "never return"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    folder = tmp_path_factory.mktemp("baseline")
    corpus = save_corpus(leaping(returning=request.param), folder / "corpus")
    config = TrainingConfig(max_epochs=0, hidden_size=8, transform="identity")
    runs = folder / "runs"
    train(corpus, config, runs / "leaps-run", corpus_folder=folder / "corpus")
    made = baseline_run(runs / "leaps-run", folder / "scratch", runs=runs)
    built = build_bundle(made, folder / "bundles")
    Registry(folder / "bundles").make_live(built)
    version = built.manifest.version
    return Served(corpus, runs / "leaps-run", runs, folder / "bundles", version)


@pytest.fixture(scope="module")
def engine(served: Served) -> BaselineEngine:
    found = open_engine(served.bundles / served.version)
    assert isinstance(found, BaselineEngine)
    return found


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[TestClient]:
    settings = Settings(bundles=served.bundles, threads=1)
    with TestClient(create_app(settings)) as running:
        yield running


def test_the_card_tells_what_the_baseline_reaches(
    served: Served, engine: BaselineEngine
) -> None:
    of_run = read_json(served.run / CARD)
    card = engine.bundle.card
    name = card["base"]

    (pool,) = card["evaluation"]["pools"]
    scores = {n: s["index"] for n, s in of_run["baselines"].items()}
    assert pool["hit_at"]["10"]["value"] == scores[name] == card["best_score"]
    over_ids = ("MC", "SR", "EASE", "SLI", "V-", "VSTAN", "Kneser", "aggregate")
    assert scores[name] == max(s for n, s in scores.items() if n.startswith(over_ids))
    (before,) = of_run["evaluation"]["pools"]
    assert pool["baseline"] == before["baseline"]
    assert pool["baseline_hit_at"] == before["baseline_hit_at"]
    assert card["readiness"]["verdict"] == "NO-GO"
    checks = {check["name"]: check for check in card["readiness"]["checks"]}
    assert not checks["lift in index"]["is_met"]
    assert checks["restored weights"]["is_met"]
    assert engine.bundle.serves == name
    assert card["test_evaluation"]["part"] == "test"
    assert card["name"] == "leaps-run-baseline"


def test_its_bits_are_those_it_was_chosen_by(
    served: Served, engine: BaselineEngine
) -> None:
    of_run = read_json(served.run / CARD)
    card = engine.bundle.card

    (pool,) = card["evaluation"]["pools"]

    assert (pool["bits"] is not None) == card["base"].startswith("Kneser-Ney")
    assert pool["bits"] == of_run["baseline_bits"].get(card["base"])


def test_a_session_is_answered_as_its_whole_context_is(
    served: Served, client: TestClient
) -> None:
    ids = [served.corpus.ids[row] for row in served.corpus.known(0)[:6]]
    vector = served.corpus.vectors[served.corpus.known(0)[4]].tolist()

    opened = client.post("/sessions", json={"ids": ids[:3]}).json()
    name = opened["session"]
    client.post(f"/sessions/{name}", json={"ids": ids[3:4]})
    client.post(f"/sessions/{name}", json={"context": [vector]})
    found = client.post(f"/sessions/{name}", json={"ids": ids[5:]}).json()

    assert opened["prediction"] == ask(client, ids=ids[:3])
    assert found == ask(client, ids=ids)
    # scores of all items: no step can make them
    assert opened["reads"] == "anew"
    assert client.get(f"/sessions/{name}").json()["num_context"] == 6


def test_fresh_figures_equal_the_recorded_ones(client: TestClient) -> None:
    report = client.get("/metrics/hitk").json()

    (pool,) = report["pools"]
    recorded = pool["recorded"]["validation"]
    assert pool["exact"]["hit_at"] == pool["index"]["hit_at"] == recorded["hit_at"]
    assert pool["lift"] == {"k": 10} | recorded["lift"]
    included = pool["index"]["hit_context_included"]
    assert included == recorded["hit_context_included"]
    assert (included is None) is not report["context_excluded"]
    assert report["mean_cosine"] is None
    assert report["recorded_mean_cosine"] is None


def test_answers_are_the_best_by_the_baseline(
    served: Served, client: TestClient, engine: BaselineEngine
) -> None:
    rows = served.corpus.known(0)[:25]
    ids = [served.corpus.ids[row] for row in rows.tolist()]

    content = ask(client, ids=ids, k=6, exclude_context=False)
    without = ask(client, ids=ids, k=ITEMS, exclude_context=True)

    score_N = engine.scores([rows])[0]
    best = np.argsort(-score_N, kind="stable")
    assert [n["id"] for n in content["neighbors"]] == [f"item{r}" for r in best[:6]]
    assert [n["score"] for n in content["neighbors"]] == pytest.approx(
        score_N[best[:6]].tolist(), abs=1e-6
    )
    assert {n["cosine"] for n in content["neighbors"]} == {None}
    others = [f"item{r}" for r in best if r not in rows]
    assert [n["id"] for n in without["neighbors"]] == others


def test_vectors_are_matched_to_items_and_unknown_ones_say_nothing(
    served: Served, client: TestClient
) -> None:
    rows = served.corpus.known(1)[:22].tolist()
    ids = [served.corpus.ids[row] for row in rows]
    strange = [1.0] + [0.0] * (DIM - 1)

    by_id = ask(client, ids=ids)
    by_vector = ask(client, context=served.corpus.vectors[rows].tolist())
    mixed = ask(
        client,
        context=[strange, {"id": ids[0]}, *served.corpus.vectors[rows[1:]].tolist()],
    )

    assert by_vector["neighbors"] == by_id["neighbors"]
    assert mixed["neighbors"] == by_id["neighbors"]
    assert mixed["num_context"] == by_id["num_context"] + 1


def test_what_a_table_of_ids_cannot_answer_is_refused(
    served: Served, client: TestClient
) -> None:
    strange = client.post("/predict", json={"context": [[1.0] + [0.0] * (DIM - 1)]})
    vector = client.post(
        "/predict", json={"ids": [served.corpus.ids[0]], "return_vector": True}
    )

    assert (strange.status_code, vector.status_code) == (422, 400)
    assert "the vector of a known item at least once" in strange.json()["detail"]
    assert "predicts no vector" in vector.json()["detail"]
    assert client.get("/info").json()["serves"] in vector.json()["detail"]


def test_batches_answer_each_as_if_it_were_alone(engine: BaselineEngine) -> None:
    rng = np.random.default_rng(0)
    queries = [
        Query(engine=engine, rows=rng.integers(ITEMS, size=length), k=4)
        for length in (1, 30, 7)
    ]

    together = engine.run(queries)
    alone = [engine.run([query])[0] for query in queries]

    for one, other in zip(together, alone, strict=True):
        assert one.found.rows.tolist() == other.found.rows.tolist()
        assert one.found.scores.tolist() == other.found.scores.tolist()
        assert one.vector is one.cosines is None


def test_the_library_answers_from_it(served: Served) -> None:
    with nextvec.open_predictor(served.bundles) as predictor:
        predicted = predictor.predict(["item1", "item8"], k=3)

    assert predicted.vector is None
    assert [n.cosine for n in predicted.neighbors] == [None] * 3


def test_a_changed_baseline_is_refused(served: Served, tmp_path: Path) -> None:
    folder = shutil.copytree(served.bundles / served.version, tmp_path / served.version)
    golden = fields_of(folder)["golden"]
    golden["scores"][0] += 1.0
    change(folder, golden=golden)

    with pytest.raises(nextvec.NextvecError, match="golden query found rows"):
        open_engine(folder)

    (folder / ITEM_BASELINE).write_bytes(b"something else")
    with pytest.raises(nextvec.NextvecError, match="damaged"):
        load_bundle(folder)


def test_a_network_that_is_to_be_run_beside_it_is_refused(
    served: Served, tmp_path: Path
) -> None:
    folder = shutil.copytree(served.bundles / served.version, tmp_path / "bundle")
    write_json(folder / CARD, read_json(folder / CARD) | {"is_better_than_base": True})

    with pytest.raises(BundleError, match="a network that is to be run beside it"):
        load_parts(folder, Manifest.load(folder))


def test_the_command_makes_one_and_finds_it_again(
    served: Served, tmp_path: Path
) -> None:
    words = ("bundle", "build", served.run, "--baseline", "--bundles", tmp_path)

    built = run_command(*words, "--promote")
    again = run_command(*words)

    (version,) = Registry(tmp_path).versions()
    assert version == served.version
    assert f"{version} is live" in built
    assert "is there already" in again
    assert sorted(p.name for p in served.runs.iterdir()) == [".shared", "leaps-run"]


def test_of_equal_scores_the_first_rows_are_best() -> None:
    score_N = np.array([1, 3, 3, 2, 3, 0], np.float32)

    found = best_first(score_N, 3, np.array([-1, 2]))
    rest = best_first(score_N, 9, np.arange(5))
    nothing = best_first(score_N, 9, np.arange(6))

    assert found.rows.tolist() == [1, 4, 3]
    assert found.scores.tolist() == [3, 3, 2]
    assert rest.rows.tolist() == [5]
    assert nothing.rows.tolist() == []


def test_a_bundle_of_a_network_has_an_engine_of_its_own(
    served: Served, tmp_path: Path
) -> None:
    network = build_bundle(served.run, tmp_path)

    assert network.manifest.version != served.version
    assert network.item_baseline is None
    assert not isinstance(engine_of(network), BaselineEngine)
