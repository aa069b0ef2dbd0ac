"""Small real things that many tests need."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from training.config import TrainingConfig
from training.corpus.corpus import Corpus, CorpusCard
from training.corpus.store import save_corpus
from training.run import train
from training.vectors import Int64, l2_normalize

MakeCorpus = Callable[..., Corpus]

# the same examples every time, and no clock: a busy machine is no failure
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def make_corpus() -> MakeCorpus:
    """Documents whose neighbouring vectors resemble each other: random walks."""

    def make(
        lengths: list[int], *, dim: int = 8, seed: int = 0, texts: bool = False
    ) -> Corpus:
        rng = np.random.default_rng(seed)
        walks = []
        for length in lengths:
            topic = rng.normal(size=dim)
            steps = rng.normal(size=(length, dim))
            walk = np.empty((length, dim))
            state = np.zeros(dim)
            for position in range(length):
                state = 0.7 * state + 0.5 * steps[position]
                walk[position] = topic + state
            walks.append(l2_normalize(walk))
        return documents_corpus(np.concatenate(walks), lengths, texts=texts)

    return make


@pytest.fixture(scope="session")
def make_rule_corpus() -> MakeCorpus:
    """Documents that follow a rule no mean of the past can know.

    Passages are of one of ``kinds`` kinds; kind ``c`` is followed by kind ``(c + 1)``,
    whose direction has nothing to do with the one before. Each document adds a mark
    of its own, so that none shares a passage with another.
    """

    def make(
        *, documents: int = 24, length: int = 130, dim: int = 16, kinds: int = 12
    ) -> Corpus:
        rng = np.random.default_rng(1)
        centers = l2_normalize(rng.normal(size=(kinds, dim)))
        start = rng.integers(kinds, size=documents)
        kind = (start[:, None] + np.arange(length)) % kinds
        marks = l2_normalize(rng.normal(size=(documents, dim)))
        rows = l2_normalize((centers[kind] + 0.5 * marks[:, None]).reshape(-1, dim))
        return documents_corpus(rows, [length] * documents)

    return make


def documents_corpus(
    rows: np.ndarray, lengths: list[int], *, texts: bool = False
) -> Corpus:
    names = [f"doc{d}#{p}" for d, n in enumerate(lengths) for p in range(n)]
    offsets: Int64 = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Corpus(
        vectors=rows.astype(np.float32),
        ids=names,
        rows=np.arange(len(rows)),
        offsets=offsets,
        document_ids=[f"doc{d}" for d in range(len(lengths))],
        card=CorpusCard(name="tiny", encoder="none", source="made by a test"),
        texts=[f"text of {name}" for name in names] if texts else None,
    )


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep networks of eight units from waiting for a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_corpus() -> Corpus:
    """Twelve documents of 130 noisy passages whose kinds follow one another.

    Large enough for every pool, and with something to learn in three epochs.
    """
    rng = np.random.default_rng(5)
    documents, length, dim, kinds = 12, 130, 12, 8
    centers = l2_normalize(rng.normal(size=(kinds, dim)))
    kind = (rng.integers(kinds, size=documents)[:, None] + np.arange(length)) % kinds
    marks = 0.4 * l2_normalize(rng.normal(size=(documents, dim)))
    noise = 0.1 * rng.normal(size=(documents, length, dim))
    rows = (centers[kind] + marks[:, None] + noise).reshape(-1, dim)
    return Corpus(
        vectors=l2_normalize(rows),
        ids=[f"doc{d}#{p}" for d in range(documents) for p in range(length)],
        rows=np.arange(len(rows)),
        offsets=np.arange(documents + 1) * length,
        document_ids=[f"doc{d}" for d in range(documents)],
        card=CorpusCard(name="tiny", encoder="none", source="made by a test"),
    )


@pytest.fixture(scope="session")
def tiny_config() -> TrainingConfig:
    """Options of a run that takes a second."""
    return TrainingConfig(
        hidden_size=8,
        num_slots=4,
        num_lags=4,
        bank_size=64,
        batch_size=4,
        warmup_steps=2,
        max_epochs=3,
        lr=0.05,
        stride=5,
        device="cpu",
    )


@pytest.fixture(scope="session")
def tiny_folder(tiny_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny corpus."""
    folder = tmp_path_factory.mktemp("corpora") / "tiny"
    save_corpus(tiny_corpus, folder)
    return folder


@pytest.fixture(scope="session")
def finished_run(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tiny_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Folder of a finished run on the tiny corpus; read it, do not change it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(tiny_corpus, tiny_config, folder, corpus_folder=tiny_folder)
    return folder


@pytest.fixture(scope="session")
def make_items() -> Callable[..., Corpus]:
    """Sessions in which items recur."""

    def make(lengths: list[int], *, items: int = 40, dim: int = 6) -> Corpus:
        rng = np.random.default_rng(7)
        total = sum(lengths)
        return Corpus(
            vectors=l2_normalize(rng.normal(size=(items, dim))),
            ids=[f"item{i}" for i in range(items)],
            rows=rng.integers(items, size=total),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            document_ids=[f"session{s}" for s in range(len(lengths))],
            card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
            kind="items",
        )

    return make
