"""Small real things that many tests need."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.run import train
from nextvec.training.vectors import Int64, l2_normalize

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
def rule_corpus() -> Corpus:
    """Documents in which each vector is the one before, turned.

    The turn is the same everywhere, and no vector comes back to where one was: no mean
    of the past can know what comes next, and no memory of the document either.
    """
    rng = np.random.default_rng(1)
    documents, length, dim = 24, 130, 32
    turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    rows = np.empty((length, documents, dim))
    rows[0] = l2_normalize(rng.normal(size=(documents, dim)))
    for position in range(1, length):
        rows[position] = rows[position - 1] @ turn.T
    in_order = rows.transpose(1, 0, 2).reshape(-1, dim)
    return documents_corpus(in_order, [length] * documents)


@pytest.fixture(scope="session")
def recurring_corpus() -> Corpus:
    """Documents that go round, each in an order and with vectors of its own.

    What follows what is learned from no other document: only a memory of the document
    itself can know it.
    """
    rng = np.random.default_rng(2)
    documents, length, dim, kinds = 24, 130, 16, 15
    rows = []
    for _ in range(documents):
        own = l2_normalize(rng.normal(size=(kinds, dim)))
        noise = 0.02 * rng.normal(size=(length, dim))
        rows.append(own[np.arange(length) % kinds] + noise)
    return documents_corpus(l2_normalize(np.concatenate(rows)), [length] * documents)


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
    """Twelve documents of 130 noisy passages, each the one before it, turned.

    Large enough for every pool, and with something to learn in three epochs.
    """
    rng = np.random.default_rng(5)
    documents, length, dim = 12, 130, 12
    turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    rows = np.empty((documents, length, dim))
    rows[:, 0] = l2_normalize(rng.normal(size=(documents, dim)))
    for position in range(1, length):
        rows[:, position] = rows[:, position - 1] @ turn.T
    noisy = (rows + 0.12 * rng.normal(size=rows.shape)).reshape(-1, dim)
    return Corpus(
        vectors=l2_normalize(noisy),
        ids=[f"doc{d}#{p}" for d in range(documents) for p in range(length)],
        rows=np.arange(len(noisy)),
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
