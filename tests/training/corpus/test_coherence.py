from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus import coherence
from nextvec.training.corpus.coherence import (
    coherent_documents,
    document_coherence,
    mean_coherence,
)
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.vectors import l2_normalize


def corpus_of(lengths: list[int], *, seed: int = 0) -> Corpus:
    rng = np.random.default_rng(seed)
    count = sum(lengths)
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(count, 3))),
        ids=[f"row-{row}" for row in range(count)],
        rows=np.arange(count),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        document_ids=[f"document-{number}" for number in range(len(lengths))],
        card=CorpusCard(name="test", encoder="unknown", source="random numbers"),
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 7))
def test_agrees_with_one_document_at_a_time(lengths: list[int], block: int) -> None:
    corpus = corpus_of(lengths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coherence, "_BLOCK", block)
        found = document_coherence(corpus)

    for number, cosine in enumerate(found):
        rows = corpus.vectors[corpus.sequence(number)]
        if len(rows) == 1:
            assert np.isnan(cosine)
        else:
            expected = np.mean([a @ b for a, b in pairwise(rows)])
            assert cosine == pytest.approx(expected, abs=1e-6)


def test_the_mean_is_over_pairs_and_not_over_documents() -> None:
    corpus = corpus_of([5, 2, 1])
    per_document = document_coherence(corpus)

    mean = mean_coherence(corpus)

    assert mean == pytest.approx((4 * per_document[0] + per_document[1]) / 5)
    assert mean_coherence(corpus, np.array([1])) == pytest.approx(per_document[1])


def test_documents_of_one_entry_have_no_mean_and_stay() -> None:
    corpus = corpus_of([1, 1])

    assert mean_coherence(corpus) is None
    assert coherent_documents(corpus, 1.0).tolist() == [0, 1]


def test_documents_below_the_threshold_go() -> None:
    corpus = corpus_of([6, 6, 6, 1])
    per_document = document_coherence(corpus)
    middle = float(np.sort(per_document[:3])[1])

    kept = coherent_documents(corpus, middle)

    expected = [d for d in range(3) if per_document[d] >= middle] + [3]
    assert kept.tolist() == expected
    assert corpus.select(kept, name="kept").lengths.tolist() == [6, 6, 1]


def test_an_item_corpus_is_judged_along_its_sequences() -> None:
    vectors = np.eye(2, dtype=np.float32)
    corpus = Corpus(
        vectors=vectors,
        ids=["a", "b"],
        rows=np.array([0, 0, 1, 1, 0]),
        offsets=np.array([0, 3, 5]),
        document_ids=["s", "t"],
        card=CorpusCard(name="items", encoder="unknown", source="two items"),
        kind="items",
    )

    assert document_coherence(corpus).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("threshold", [-1.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="is a cosine"):
        coherent_documents(corpus_of([2]), threshold)
