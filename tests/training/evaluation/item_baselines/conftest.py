"""Sequences of a handful of items, to be counted by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.windows import Windows
from nextvec.training.vectors import l2_normalize

MakeSequences = Callable[[list[list[int]], int], Corpus]
MakeWindows = Callable[[list[list[int]]], Windows]


@pytest.fixture(scope="session")
def sequences_of() -> MakeSequences:
    def make(sequences: list[list[int]], items: int) -> Corpus:
        rng = np.random.default_rng(0)
        lengths = [len(sequence) for sequence in sequences]
        return Corpus(
            vectors=l2_normalize(rng.normal(size=(items, 3))),
            ids=[f"item{i}" for i in range(items)],
            rows=np.concatenate([np.array(s, dtype=np.int64) for s in sequences]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            document_ids=[f"session{s}" for s in range(len(sequences))],
            card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
            kind="items",
        )

    return make


@pytest.fixture(scope="session")
def windows_of() -> MakeWindows:
    def make(contexts: list[list[int]]) -> Windows:
        width = max(len(context) for context in contexts)
        rows = np.full((len(contexts), width), -1, dtype=np.int64)
        for query, context in enumerate(contexts):
            rows[query, : len(context)] = context
        return Windows(
            context_rows=rows,
            lengths=np.array([len(context) for context in contexts]),
            target_rows=np.zeros(len(contexts), dtype=np.int64),
            documents=np.arange(len(contexts)),
            positions=np.array([len(context) for context in contexts]),
        )

    return make
