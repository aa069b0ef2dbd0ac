from collections.abc import Callable

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows, cut_windows
from nextvec.training.evaluation.pools import (
    TARGETS_POOL_SIZE,
    Pool,
    documents_pool,
    index_pool,
    targets_pool,
)

MakeCorpus = Callable[..., Corpus]


def candidates(pool: Pool, query: int) -> np.ndarray:
    assert pool.members is not None
    return np.asarray(pool.rows[pool.members[query]])


def assert_sound(pool: Pool, corpus: Corpus, windows: Windows, size: int) -> None:
    assert pool.size == size
    assert (np.diff(pool.rows) > 0).all()
    for query in range(len(windows)):
        rows = candidates(pool, query)
        assert len(rows) == len(set(rows.tolist())) == size
        assert windows.target_rows[query] in rows
        assert not set(rows.tolist()) & set(windows.context_rows[query].tolist())
        document = windows.documents[query]
        own = rows[corpus.document_of_row[rows] == document]
        assert set(own.tolist()) <= set(windows.target_rows.tolist())
        apart = np.abs(corpus.position_of_row[own] - windows.positions[query])
        assert (apart[own != windows.target_rows[query]] >= 50).all()


def test_the_pool_of_targets_is_as_the_protocol_says(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([300, 260, 120, 500, 40, 700], dim=2)
    documents = np.array([0, 1, 2])
    windows = cut_windows(corpus, documents, stride=5)

    pool = targets_pool(corpus, windows, documents)

    assert pool is not None
    assert TARGETS_POOL_SIZE == 1148
    assert_sound(pool, corpus, windows, 1148)


def test_every_far_target_is_a_candidate(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([300, 260, 700], dim=2)
    documents = np.array([0, 1])
    windows = cut_windows(corpus, documents, stride=5)

    pool = targets_pool(corpus, windows, documents, size=400)

    assert pool is not None
    for query in range(len(windows)):
        rows = set(candidates(pool, query).tolist())
        for other in range(len(windows)):
            elsewhere = windows.documents[other] != windows.documents[query]
            far = abs(int(windows.positions[other] - windows.positions[query])) >= 50
            in_context = windows.target_rows[other] in windows.context_rows[query]
            if elsewhere or (far and not in_context):
                assert windows.target_rows[other] in rows


def test_passages_come_from_the_documents_of_the_part_first(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([200, 200, 200, 400], dim=2)
    documents = np.array([0, 1, 2])
    windows = cut_windows(corpus, documents, stride=50)

    pool = targets_pool(corpus, windows, documents, size=150)

    assert pool is not None
    assert (pool.rows < 600).all()
    assert_sound(pool, corpus, windows, 150)


def test_more_targets_than_candidates_are_drawn_from(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([180, 170, 300], dim=2)
    documents = np.array([0, 1])
    windows = cut_windows(corpus, documents, stride=1)

    pool = targets_pool(corpus, windows, documents, size=60)

    assert pool is not None
    assert len(windows) > 60
    assert_sound(pool, corpus, windows, 60)


@pytest.mark.parametrize(("others", "is_enough"), [(29, True), (28, False)])
def test_a_corpus_too_small_for_the_pool_has_none(
    make_corpus: MakeCorpus, others: int, is_enough: bool
) -> None:
    # the target itself, and what the other document holds
    corpus = make_corpus([101, others], dim=2)
    windows = cut_windows(corpus, np.array([0]))

    pool = targets_pool(corpus, windows, np.array([0]), size=30)

    assert (pool is not None) == is_enough
    if pool is not None:
        assert_sound(pool, corpus, windows, 30)


def test_one_seed_gives_one_pool_and_another_another(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([300, 260, 700], dim=2)
    documents = np.array([0, 1])
    windows = cut_windows(corpus, documents)

    first, again, other = (
        targets_pool(corpus, windows, documents, size=100, seed=seed)
        for seed in (1, 1, 2)
    )

    assert first is not None
    assert again is not None
    assert other is not None
    assert np.array_equal(first.rows[first.members], again.rows[again.members])
    assert not np.array_equal(first.rows[first.members], other.rows[other.members])


def test_the_pool_of_documents_is_every_passage_of_them(
    make_corpus: MakeCorpus,
) -> None:
    pool = documents_pool(make_corpus([3, 4, 5], dim=2), np.array([2, 0]))

    assert pool.name == "documents"
    assert pool.rows.tolist() == [0, 1, 2, 7, 8, 9, 10, 11]
    assert pool.members is None
    assert pool.size == 8


def test_an_item_is_a_candidate_once(make_items: MakeCorpus) -> None:
    corpus = make_items([60, 60], items=9)

    pool = documents_pool(corpus, np.array([0, 1]))

    assert pool.rows.tolist() == list(range(9))


def test_the_pool_of_the_index_is_the_whole_catalogue(make_corpus: MakeCorpus) -> None:
    pool = index_pool(make_corpus([3, 4], dim=2))

    assert pool.name == "index"
    assert pool.rows.tolist() == list(range(7))
    assert pool.size == 7
