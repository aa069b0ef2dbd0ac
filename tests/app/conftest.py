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
from safetensors.torch import save_file

from app.bundle import load_bundle
from app.bundling import build_bundle
from app.engine import Engine
from app.factory import create_app
from app.registry import Registry
from app.settings import Settings
from training.checkpoint import (
    CARD,
    FORMAT,
    WEIGHTS,
    as_tensor,
    model_settings,
    predict,
    save_weights,
)
from training.corpus.corpus import Corpus
from training.corpus.duplicates import duplicate_groups
from training.corpus.split import SplitConfig, split_documents
from training.corpus.store import save_corpus
from training.evaluation.baselines import WeightedMean, predict_all
from training.evaluation.evaluation import Judge
from training.evaluation.suite import build_suite
from training.evaluation.suite_store import save_suite
from training.files import write_json
from training.models.config import ModelConfig
from training.models.model import NextVectorModel
from training.transform import Transform, TransformConfig

DIM = 8
DOCUMENTS = 30
LENGTH = 130


@dataclass(frozen=True)
class World:
    """Where the real small things are."""

    corpus: Corpus
    run: Path
    bundles: Path
    version: str


def make_run(corpus: Corpus, folder: Path, corpus_folder: Path | None) -> None:
    """Write a run as training leaves it, with an untrained model."""
    folder.mkdir(parents=True)
    split = split_documents(corpus, SplitConfig())
    groups = duplicate_groups(np.asarray(corpus.vectors))
    rows = np.concatenate([corpus.sequence(d) for d in split.train.tolist()])
    transform = Transform.fit(np.asarray(corpus.vectors[rows]), TransformConfig())
    vectors_ND = torch.from_numpy(transform.apply(corpus.vectors))
    suite = build_suite(corpus, split, groups, "validation")
    torch.manual_seed(0)
    config = ModelConfig(dim=corpus.dim, hidden_size=8, num_slots=4)
    model = NextVectorModel(config).eval()
    context_QTD = as_tensor(suite.windows.contexts(vectors_ND.numpy()))
    length_Q = torch.from_numpy(suite.windows.lengths)
    last = WeightedMean((1.0,))
    baseline_QD = predict_all(last, context_QTD, length_Q)
    evaluation = Judge(vectors_ND, groups, suite).evaluate(
        predict(model, context_QTD, length_Q),
        {pool.name: (last.name, baseline_QD) for pool in suite.pools},
    )
    save_weights(folder / WEIGHTS, model.state_dict(), transform)
    save_suite(folder / "validation.npz", suite)
    np.save(folder / "groups.npy", groups)
    save_file(
        {pool.name: baseline_QD.clone() for pool in suite.pools},
        folder / "baselines.safetensors",
    )
    card: dict[str, Any] = {
        "format": FORMAT,
        "name": folder.name,
        "model": model_settings(config),
        "corpus": {
            "name": corpus.card.name,
            "fingerprint": corpus.fingerprint,
            "folder": str(corpus_folder) if corpus_folder else None,
        },
        "split": {"fingerprint": split.fingerprint(corpus)},
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
    version = build_bundle(folder / "runs" / "tiny-run", bundles)
    Registry(bundles).promote(version)
    return World(corpus, folder / "runs" / "tiny-run", bundles, version)


@pytest.fixture
def bundles(world: World, tmp_path: Path) -> Path:
    """A copy of the bundles, to be spoiled."""
    return Path(shutil.copytree(world.bundles, tmp_path / "bundles"))


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
