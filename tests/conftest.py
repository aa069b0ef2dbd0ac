"""Small real things that many tests need."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from training.corpus.corpus import Corpus, CorpusCard
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
