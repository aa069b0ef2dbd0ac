from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.bundle import Bundle, load_bundle
from nextvec.app.bundle.engine_names import AUTO, EAGER, ENGINES, FUSED, INT8
from nextvec.app.bundle.manifest import EngineFacts, EngineTrial, Manifest
from nextvec.app.inference import engine as engine_module
from nextvec.app.inference.baseline_engine import engine_of
from nextvec.app.inference.engine import Engine
from nextvec.app.inference.golden import make_golden, open_engine
from nextvec.app.inference.predictors import make_predictor
from nextvec.app.release import engines
from nextvec.app.release.building import build_bundle
from nextvec.app.release.engines import BATCHES, choose_engine, decide
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.errors import BundleError
from tests.app.conftest import World, learn_by_lot


def trial(
    ms: float, *, cosine: float = 1.0, hit: float = 0.5, is_passed: bool = True
) -> EngineTrial:
    times_ms = {"1": ms, "32": 10 * ms}
    return EngineTrial(
        times_ms=times_ms, cosine=cosine, hit=hit, copies=None, is_passed=is_passed
    )


@pytest.fixture(scope="module")
def items(make_item_world: Callable[..., World]) -> World:
    return make_item_world(returning=True)


@pytest.fixture
def bundle(world: World) -> Bundle:
    """Of documents, with a network that says something."""
    loaded = load_bundle(world.bundles / world.version)
    learn_by_lot(loaded.checkpoint.model)
    return loaded


def test_the_fastest_that_agrees_is_taken() -> None:
    trials = {EAGER: trial(8.0), FUSED: trial(2.0), INT8: trial(1.0)}

    assert decide(AUTO, trials) == (INT8, "the fastest of those that agree with eager")


def test_without_a_compiler_nothing_is_measured(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(engines, "load_kernel", lambda: None)

    chosen = choose_engine(bundle, INT8, say=said.append)

    assert (chosen.name, chosen.trials) == (EAGER, {})
    assert said == ["engine int8 is refused for eager: there is no C compiler here"]


def test_where_nothing_is_faster_the_network_runs_as_it_was_trained() -> None:
    name, _ = decide(AUTO, {EAGER: trial(8.0), FUSED: trial(9.0), INT8: trial(8.5)})

    assert name == EAGER


def test_the_fastest_that_does_not_agree_is_passed_over_aloud() -> None:
    wrong = trial(1.0, cosine=0.99, hit=0.49, is_passed=False)

    name, reason = decide(AUTO, {EAGER: trial(8.0), FUSED: trial(2.0), INT8: wrong})

    assert name == FUSED
    assert "int8 does not, mean cosine 0.99000 (at least 0.999)" in reason
    assert "hits -1.00 points" in reason


def test_one_that_is_asked_for_and_agrees_is_taken_slow_or_not() -> None:
    name, _ = decide(FUSED, {EAGER: trial(8.0), FUSED: trial(9.0)})

    assert name == FUSED


def test_one_that_is_asked_for_and_does_not_agree_is_refused() -> None:
    wrong = trial(1.0, hit=0.51, is_passed=False)

    name, reason = decide(INT8, {EAGER: trial(8.0), INT8: wrong})

    assert name == EAGER
    assert reason.startswith("int8 is refused, mean cosine")
    assert "hits +1.00 points (at most 0.2)" in reason


def test_every_engine_is_tried_on_validation(bundle: Bundle) -> None:
    facts = choose_engine(bundle, AUTO)

    assert set(facts.trials) == set(ENGINES)
    assert facts.k == bundle.suite.k
    assert facts.num_windows == len(bundle.suite.windows)
    for one in facts.trials.values():
        assert list(one.times_ms) == [str(size) for size in BATCHES]
        assert min(one.times_ms.values()) > 0
        assert one.copies is None
    assert facts.trials[EAGER].cosine == pytest.approx(1.0, abs=1e-6)
    assert facts.trials[FUSED].is_passed
    assert facts.trials[FUSED].cosine == pytest.approx(1.0, abs=1e-6)
    assert 0.99 < facts.trials[INT8].cosine < 1.0


def test_of_items_the_copies_are_compared_too(items: World) -> None:
    bundle = load_bundle(items.bundles / items.version)

    facts = choose_engine(bundle, INT8)

    assert set(facts.trials) == {EAGER, INT8}
    assert facts.trials[EAGER].copies == 0.0
    change = facts.trials[INT8].copies
    assert change is not None
    assert 0.0 < change < 0.1


@pytest.mark.parametrize(
    ("limit", "value"), [("LEAST_COSINE", 1.01), ("MOST_COPY_CHANGE", 0.0)]
)
def test_one_that_does_not_agree_is_refused_aloud_for_eager(
    items: World, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    bundle, said = load_bundle(items.bundles / items.version), list[str]()
    monkeypatch.setattr(engines, limit, value)

    facts = choose_engine(bundle, INT8, say=said.append)

    assert facts.name == EAGER
    assert not facts.trials[INT8].is_passed
    assert said == [f"engine eager: {facts.reason}"]
    assert "int8 is refused" in facts.reason


def test_what_answers_by_its_closed_form_has_one_engine(bundle: Bundle) -> None:
    bundle.checkpoint.model.is_run = False
    said = list[str]()

    facts = [choose_engine(bundle, asked, say=said.append) for asked in (AUTO, INT8)]

    assert [one.name for one in facts] == [EAGER, EAGER]
    assert [one.trials for one in facts] == [{}, {}]
    assert len(said) == 1
    assert "int8 is refused for eager: nothing recurrent is run" in said[0]


@pytest.mark.parametrize("engine", [FUSED, INT8])
def test_a_bundle_names_its_engine_and_is_served_by_it(
    items: World, tmp_path: Path, engine: str
) -> None:
    built = build_bundle(items.run, tmp_path, engine=engine)
    # whether the cut-off is met by a network of random numbers is not the matter here
    folder = tmp_path / built.manifest.version
    if built.manifest.engine.name != engine:
        facts = replace(built.manifest.engine, name=engine)
        replace(built.manifest, engine=facts).save(folder)
    Registry(tmp_path).make_live(load_bundle(folder))

    with TestClient(create_app(Settings(bundles=tmp_path, threads=1))) as client:
        info = client.get("/info").json()
        ids = list(items.corpus.ids[:12])
        answer = client.post("/predict", json={"ids": ids, "k": 5})
        hitk = client.get("/metrics/hitk")

    assert info["engine"] == engine
    assert info["bundle"]["engine"]["name"] == engine
    assert set(info["bundle"]["engine"]["trials"]) == {EAGER, engine}
    assert len(answer.json()["neighbors"]) == 5
    assert hitk.status_code == 200


def test_a_bundle_of_int8_goes_live_where_there_is_no_compiler(
    items: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build_bundle(items.run, tmp_path, engine=EAGER)
    folder = tmp_path / built.manifest.version
    facts = replace(built.manifest.engine, name=INT8)
    coded = replace(built, manifest=replace(built.manifest, engine=facts))
    golden = make_golden(engine_of(coded))
    replace(coded.manifest, golden=golden).save(folder)
    eager = partial(make_predictor, load=lambda: None)
    monkeypatch.setattr(engine_module, "make_predictor", eager)

    found = open_engine(folder)

    assert found.predictor.name == "eager: int8 wants a C compiler"
    told = np.array(golden.prediction)
    moved = np.abs(found.golden_vector(np.array(golden.context_rows)) - told).max()
    assert moved > 0
    replace(coded.manifest, golden=replace(golden, prediction=(-told).tolist())).save(
        folder
    )
    with pytest.raises(BundleError, match="prediction moved by"):
        open_engine(folder)


def test_a_bundle_of_another_engine_is_another_version(
    world: World, tmp_path: Path
) -> None:
    first, second = (
        build_bundle(world.run, tmp_path, engine=engine) for engine in (EAGER, FUSED)
    )

    assert first.manifest.version != second.manifest.version
    assert first.manifest.engine == EngineFacts(name=EAGER, reason="asked for")


def test_an_engine_that_is_not_there_is_refused_before_anything(
    tmp_path: Path,
) -> None:
    with pytest.raises(BundleError, match="out of auto, eager, fused, int8, got 'x'"):
        build_bundle(tmp_path / "no run", tmp_path, engine="x")


def test_a_bundle_that_names_an_engine_of_another_version_says_so(
    bundles: Path, world: World
) -> None:
    folder = bundles / world.version
    manifest = Manifest.load(folder)
    replace(manifest, engine=replace(manifest.engine, name="warp")).save(folder)

    with pytest.raises(BundleError, match="got 'warp'"):
        open_engine(folder)


def test_an_engine_can_be_given_another_predictor(bundle: Bundle) -> None:
    engine = Engine(bundle)

    assert Engine(bundle, engine.predictor).predictor is engine.predictor
