"""A real run, bundle and service, three numbers wide and made in a moment."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from nextvec.app.api.app import create_app
from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.inference.engine import Engine
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import POINTER, Registry
from nextvec.app.settings import Settings
from nextvec.training.checkpoint import FORMAT, model_settings, save_weights
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.evaluation.baselines import WeightedMean
from nextvec.training.evaluation.searched import space_of
from nextvec.training.files import write_json
from nextvec.training.listener import NullListener
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.best_baselines import BestBaselines
from nextvec.training.preparation.kept_baselines import BEST_BASELINES
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run_folder import CARD, WEIGHTS
from nextvec.training.vectors import l2_normalize
from tests.app.sealing import copied

MakeCorpus = Callable[..., Corpus]

DIM = 8
DOCUMENTS = 30
LENGTH = 130


@pytest.fixture(scope="session", autouse=True)
def verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the record of checksums out of the cache of whoever runs the tests."""
    record = tmp_path_factory.mktemp("verified") / "verified.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextvec.app.bundle.verified.RECORD", str(record))
        yield


@dataclass(frozen=True)
class World:
    """Where the real small things are."""

    corpus: Corpus
    run: Path
    bundles: Path
    version: str


def learn_by_lot(model: NextVectorModel) -> None:
    """Move every number of a network of items, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * noise)


def make_run(corpus: Corpus, folder: Path, corpus_folder: Path | None) -> None:
    """Write a run as training leaves it; of documents with an untrained model."""
    folder.mkdir(parents=True)
    cache, listener = SharedCache(folder), NullListener()
    prepared = prepare(corpus, TrainingConfig(), cache, listener)
    judge, contexts = prepared.judge, prepared.context(prepared.suite.windows)
    # one alone, which is measured at once
    fitted, pool = [WeightedMean((1.0,))], prepared.selection_pool
    best = BestBaselines.choose(fitted, judge, contexts, pool, listener)
    cache.get(BEST_BASELINES, lambda: best)
    torch.manual_seed(0)
    is_items = corpus.kind == "items"
    config = ModelConfig(
        dim=corpus.dim,
        hidden_size=8,
        num_slots=4,
        num_items=len(corpus.vectors) if is_items else 0,
        can_copy=is_items and not prepared.suite.excludes_context,
    )
    model = NextVectorModel(config).eval()
    if model.items is not None:
        model.items.start(prepared.vectors, torch.from_numpy(prepared.item_counts))
        learn_by_lot(model)
    space = space_of(model, prepared.space)
    judge = judge.searching(space.vectors, space.score)
    prediction = space.predict(model, prepared.suite.windows)
    evaluation = judge.evaluate(prediction, best.paired())
    save_weights(folder / WEIGHTS, model.state_dict(), prepared.transform)
    card: dict[str, Any] = {
        "format": FORMAT,
        "name": folder.name,
        "model": model_settings(config),
        "corpus": {
            "name": corpus.card.name,
            "fingerprint": corpus.fingerprint,
            "folder": str(corpus_folder) if corpus_folder else None,
        },
        "score": space.score.to_dict(),
        "split": {"fingerprint": prepared.split.fingerprint(corpus)},
        "best_epoch": 0,
        "history": [],
        "evaluation": evaluation.to_dict(),
        "test_evaluation": None,
        "readiness": {"verdict": "NO-GO", "checks": []},
    }
    write_json(folder / CARD, card)


@pytest.fixture(scope="session")
def world(
    tmp_path_factory: pytest.TempPathFactory, make_corpus: Callable[..., Corpus]
) -> World:
    """A corpus with texts, a run on it, and its bundle, promoted."""
    folder = tmp_path_factory.mktemp("world")
    corpus = save_corpus(
        make_corpus([LENGTH] * DOCUMENTS, dim=DIM, texts=True), folder / "corpus"
    )
    make_run(corpus, folder / "runs" / "tiny-run", folder / "corpus")
    bundles = folder / "bundles"
    built = build_bundle(folder / "runs" / "tiny-run", bundles)
    Registry(bundles).make_live(built)
    version = built.manifest.version
    return World(corpus, folder / "runs" / "tiny-run", bundles, version)


@pytest.fixture(scope="session")
def make_item_world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., World]:
    """Sessions in which items return, or never do; some items have no vector."""

    def make(*, returning: bool) -> World:
        folder = tmp_path_factory.mktemp("items")
        rng = np.random.default_rng(3)
        items, length, sessions = 90, 45, 20
        entries = [
            rng.integers(-1, items, length)
            if returning
            else rng.permutation(np.arange(-1, items))[:length]
            for _ in range(sessions)
        ]
        for rows in entries:
            # the target of a window: an item without a vector
            rows[30] = -1
        corpus = Corpus(
            vectors=l2_normalize(rng.normal(size=(items, DIM))),
            ids=[f"item{i}" for i in range(items)],
            rows=np.concatenate(entries),
            offsets=np.arange(sessions + 1) * length,
            document_ids=[f"session{s}" for s in range(sessions)],
            card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
            kind="items",
        )
        corpus = save_corpus(corpus, folder / "corpus")
        make_run(corpus, folder / "runs" / "items-run", folder / "corpus")
        bundles = folder / "bundles"
        # not the fastest today: what is served is compared with the network itself
        built = build_bundle(folder / "runs" / "items-run", bundles, engine=EAGER)
        Registry(bundles).make_live(built)
        version = built.manifest.version
        return World(corpus, folder / "runs" / "items-run", bundles, version)

    return make


@pytest.fixture(scope="session", autouse=True)
def _no_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Look for no keys where somebody who works here may have made some."""
    with pytest.MonkeyPatch.context() as patch:
        nowhere = tmp_path_factory.mktemp("nowhere") / "keys.json"
        patch.setattr("nextvec.app.settings.KEYS", nowhere)
        yield


@pytest.fixture
def bundles(world: World, tmp_path: Path) -> Path:
    """A copy of the bundles, to be spoiled."""
    return Path(shutil.copytree(world.bundles, tmp_path / "bundles"))


@dataclass(frozen=True)
class Bundles:
    """A folder of bundles, to be changed, and what is in it."""

    folder: Path
    names: list[str]
    """Good ones, in which the same ids are other vectors; the first is live."""

    def spoil(self, name: str, damage: str = "vectors.npy") -> str:
        """Copy a bundle, damage a file of the copy, and return its name."""
        folder = copied(self.folder / name, f"spoiled{damage.partition('.')[0]}")
        with (folder / damage).open("r+b") as file:
            file.seek(-9, 2)
            file.write(b"damaged!")
        return folder.name

    def point(self, name: str, previous: str | None = None) -> None:
        """Write LIVE, as another process does."""
        write_json(self.folder / POINTER, {"version": name, "previous": previous})


@pytest.fixture(scope="session")
def three(
    world: World, tmp_path_factory: pytest.TempPathFactory, make_corpus: MakeCorpus
) -> Bundles:
    """Three good bundles."""
    folder = tmp_path_factory.mktemp("three")
    bundles = Path(shutil.copytree(world.bundles, folder / "bundles"))
    names = [world.version]
    for seed in (4, 5):
        corpus = save_corpus(
            make_corpus([LENGTH] * DOCUMENTS, dim=DIM, seed=seed),
            folder / f"corpus{seed}",
        )
        make_run(corpus, folder / f"run{seed}", folder / f"corpus{seed}")
        built = build_bundle(folder / f"run{seed}", bundles, engine=EAGER)
        names.append(built.manifest.version)
    return Bundles(bundles, names)


@pytest.fixture
def shelf(three: Bundles, tmp_path: Path) -> Bundles:
    """The same, to be changed."""
    return Bundles(Path(shutil.copytree(three.folder, tmp_path / "shelf")), three.names)


@pytest.fixture(scope="session")
def new_run() -> Callable[[Corpus, Path, Path | None], None]:
    return make_run


@pytest.fixture(scope="session")
def engine(world: World) -> Engine:
    return Engine(load_bundle(world.bundles / world.version))


@pytest.fixture(scope="session")
def settings(world: World) -> Settings:
    return Settings(bundles=world.bundles, threads=1)


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    """A running service."""
    with TestClient(create_app(settings)) as running:
        yield running


@pytest.fixture
def context(world: World) -> list[str]:
    """The ids of the first hundred passages of a document."""
    return list(world.corpus.ids[130:230])
