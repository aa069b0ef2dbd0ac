from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.retrieval import (
    retrieval_hit_rate,
    retrieval_reciprocal_rank,
)

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import Windows, cut_windows
from nextvec.training.errors import VectorError
from nextvec.training.evaluation.metrics import hit_at_k, mrr_at_k
from nextvec.training.evaluation.pools import Pool, documents_pool, index_pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Int64

MakeCorpus = Callable[..., Corpus]


def windows_of(contexts: list[list[int]], targets: list[int]) -> Windows:
    width = max(len(context) for context in contexts)
    padded = [context + [-1] * (width - len(context)) for context in contexts]
    return Windows(
        context_rows=np.array(padded, dtype=np.int64),
        lengths=np.array([len(context) for context in contexts]),
        target_rows=np.array(targets),
        documents=np.zeros(len(targets), dtype=np.int64),
        positions=np.arange(len(targets)),
    )


def slow_ranks(
    prediction_QD: np.ndarray,
    vectors_ND: np.ndarray,
    group_N: np.ndarray,
    windows: Windows,
    pool: Pool,
    *,
    exclude_context: bool,
) -> list[int]:
    ranks = []
    for query, target in enumerate(windows.target_rows.tolist()):
        candidates = pool.rows.tolist()
        if pool.members is not None:
            candidates = pool.rows[pool.members[query]].tolist()
        is_back = exclude_context and target in windows.context_rows[query]
        if target not in pool.rows or is_back:
            ranks.append(len(candidates) + 1)
            continue
        own = float(prediction_QD[query] @ vectors_ND[target])
        rank = 1
        for row in candidates:
            if group_N[row] == group_N[target]:
                continue
            if exclude_context and row in windows.context_rows[query]:
                continue
            rank += float(prediction_QD[query] @ vectors_ND[row]) >= own
        ranks.append(rank)
    return ranks


# whole numbers: their products are exact, so that ties are ties in any order of sums
numbers = st.integers(-2, 2)


@settings(max_examples=120)
@given(data=st.data(), block_bytes=st.sampled_from([1, 40, 1 << 20]))
def test_ranks_agree_with_a_slow_obvious_search(
    data: st.DataObject, block_bytes: int
) -> None:
    n, dim = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 3))
    queries = data.draw(st.integers(1, 5))
    row = st.integers(0, n - 1)
    rows_of = st.lists(numbers, min_size=dim, max_size=dim)
    vectors = np.array(
        data.draw(st.lists(rows_of, min_size=n, max_size=n)), dtype=np.float32
    )
    predictions = np.array(
        data.draw(st.lists(rows_of, min_size=queries, max_size=queries)),
        dtype=np.float32,
    )
    groups = np.array(data.draw(st.lists(st.integers(0, n), min_size=n, max_size=n)))
    contexts = data.draw(
        st.lists(
            st.lists(row, min_size=1, max_size=4), min_size=queries, max_size=queries
        )
    )
    # -1: a target without a vector
    maybe_row = st.integers(-1, n - 1)
    targets = data.draw(st.lists(maybe_row, min_size=queries, max_size=queries))
    in_pool = np.array(sorted(data.draw(st.sets(row, min_size=1))))
    members = None
    if data.draw(st.booleans()):
        size = data.draw(st.integers(1, len(in_pool)))
        orders = st.permutations(range(len(in_pool)))
        members = np.array([data.draw(orders)[:size] for _ in range(queries)])
    pool = Pool(name="targets", rows=in_pool, members=members)
    windows = windows_of(contexts, targets)
    exclude = data.draw(st.booleans())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextvec.training.evaluation.ranking._BLOCK_BYTES", block_bytes)
        ranker = Ranker(
            torch.from_numpy(vectors), groups, windows, pool, exclude_context=exclude
        )
    ranks = ranker.ranks(torch.from_numpy(predictions))

    assert ranks.tolist() == slow_ranks(
        predictions, vectors, groups, windows, pool, exclude_context=exclude
    )
    if members is None:
        _, included = ranker.ranks_and_included(torch.from_numpy(predictions))
        assert included.tolist() == slow_ranks(
            predictions, vectors, groups, windows, pool, exclude_context=False
        )
        competing = ranker.best_first(
            Prediction(torch.from_numpy(predictions)), range(queries)
        )
        for query, (rows, scores) in enumerate(competing):
            target = targets[query]
            left_out = set(contexts[query]) if exclude else set()
            is_like = groups == groups[target] if target >= 0 else groups < 0
            left_out |= set(np.flatnonzero(is_like).tolist())
            assert set(rows.tolist()) == set(in_pool.tolist()) - (left_out - {target})
            assert scores.tolist() == (vectors[rows] @ predictions[query]).tolist()
            assert (np.diff(scores) <= 0).all()
            is_candidate = target in in_pool and not (
                exclude and target in contexts[query]
            )
            if is_candidate:
                assert rows[ranks[query] - 1] == target


def alone(num: int) -> Int64:
    return np.arange(num)


def test_an_item_that_came_twice_is_left_out_once() -> None:
    # cosines with the prediction: 0.8, 1.0, 0.9; the target is the last of them
    cosines = np.array([0.8, 1.0, 0.9, 0.1], dtype=np.float32)
    vectors = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    windows = windows_of([[1, 1, 1, 3]], [0])
    pool = Pool(name="index", rows=np.arange(4))
    ranker = Ranker(torch.from_numpy(vectors), alone(4), windows, pool)

    ranks, included = ranker.ranks_and_included(torch.tensor([[1.0, 0.0]]))

    # ahead of the target are row 2 and, as part of the context, row 1
    assert ranks.tolist() == [2]
    assert included.tolist() == [3]


@pytest.mark.parametrize("k", [1, 5, 10])
def test_hits_and_reciprocal_ranks_agree_with_torchmetrics(
    rng: np.random.Generator, k: int
) -> None:
    vectors = torch.from_numpy(rng.normal(size=(60, 5)).astype(np.float32))
    targets = rng.integers(1, 60, size=80)
    predictions = vectors[torch.from_numpy(targets)] + torch.from_numpy(
        rng.normal(size=(80, 5)).astype(np.float32)
    )
    # the context is candidate 0 alone, left in: torchmetrics excludes nothing
    windows = windows_of([[0]] * 80, targets.tolist())
    pool = Pool(name="index", rows=np.arange(60))
    ranker = Ranker(vectors, alone(60), windows, pool, exclude_context=False)

    ranks = ranker.ranks(predictions)

    hits, reciprocals = [], []
    for prediction, target in zip(predictions, targets.tolist(), strict=True):
        scores = vectors @ prediction
        relevant = torch.arange(60) == target
        hits.append(float(retrieval_hit_rate(scores, relevant, top_k=k)))
        reciprocals.append(float(retrieval_reciprocal_rank(scores, relevant, top_k=k)))
    assert hit_at_k(ranks, k) == pytest.approx(np.mean(hits))
    assert mrr_at_k(ranks, k) == pytest.approx(np.mean(reciprocals))
    assert 0 < hit_at_k(ranks, k) < 1


def test_ties_count_against_us(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([110, 120])
    windows = cut_windows(corpus, np.arange(2))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    ranker = Ranker(vectors, alone(230), windows, index_pool(corpus))

    ranks = ranker.ranks(torch.zeros(len(windows), 8))

    # everything ties with everything: the target comes last of the 130 left
    assert ranks.tolist() == [130] * len(windows)


def test_a_constant_prediction_among_equal_candidates_gets_the_worst_rank() -> None:
    vectors = torch.ones(20, 4)
    windows = windows_of([[0, 1]] * 3, [5, 6, 7])
    pool = Pool(name="index", rows=np.arange(20))

    ranks = Ranker(vectors, alone(20), windows, pool).ranks(torch.ones(3, 4))

    assert ranks.tolist() == [18, 18, 18]


def test_a_duplicate_of_the_target_is_no_competitor() -> None:
    vectors = torch.tensor([[0.0, 1], [1, 0], [1, 0], [1, 0]])
    windows = windows_of([[0]], [1])
    pool = Pool(name="index", rows=np.arange(4))
    prediction = torch.tensor([[1.0, 0]])

    as_one = Ranker(vectors, np.array([0, 1, 1, 2]), windows, pool)
    apart = Ranker(vectors, np.array([0, 1, 2, 3]), windows, pool)

    assert as_one.ranks(prediction).tolist() == [2]
    assert apart.ranks(prediction).tolist() == [3]


def test_a_target_outside_the_pool_is_a_miss(rng: np.random.Generator) -> None:
    vectors = torch.from_numpy(rng.normal(size=(30, 4)).astype(np.float32))
    windows = windows_of([[0], [1]], [29, 3])
    pool = Pool(name="documents", rows=np.arange(20))
    ranker = Ranker(vectors, alone(30), windows, pool)

    ranks = ranker.ranks(vectors[torch.tensor([29, 3])] * 100)

    assert ranks[0] == 21
    assert ranks[1] <= 20


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_prediction_that_is_not_finite_is_refused(
    make_corpus: MakeCorpus, value: float
) -> None:
    corpus = make_corpus([120])
    windows = cut_windows(corpus, np.arange(1))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    ranker = Ranker(vectors, alone(120), windows, index_pool(corpus))
    predictions = torch.ones(len(windows), 8)
    predictions[1, 3] = value

    with pytest.raises(VectorError, match="NaN or infinity"):
        ranker.ranks(predictions)


def test_the_number_of_predictions_is_checked(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([120])
    windows = cut_windows(corpus, np.arange(1))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    ranker = Ranker(vectors, alone(120), windows, index_pool(corpus))

    with pytest.raises(VectorError, match="expected 2 predictions, got 3"):
        ranker.ranks(torch.ones(3, 8))


def test_no_window_gives_no_rank(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([50])
    windows = cut_windows(corpus, np.arange(1))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))

    ranker = Ranker(vectors, alone(50), windows, index_pool(corpus))

    assert len(ranker) == 0
    assert ranker.ranks(torch.ones(0, 8)).tolist() == []


def test_ranking_leaves_predictions_and_vectors_unchanged(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([110, 120])
    windows = cut_windows(corpus, np.arange(2))
    vectors = torch.from_numpy(np.array(corpus.vectors))
    before, predictions = (
        vectors.clone(),
        vectors[torch.from_numpy(windows.target_rows)],
    )
    ranker = Ranker(vectors, alone(230), windows, index_pool(corpus))

    first, second = ranker.ranks(predictions), ranker.ranks(predictions)

    assert np.array_equal(first, second)
    assert torch.equal(vectors, before)
    assert (first == 1).all()


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize("exclude", [True, False])
def test_the_nearest_candidate_is_that_of_a_full_search(
    make_corpus: MakeCorpus,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
    exclude: bool,
) -> None:
    monkeypatch.setattr("nextvec.training.evaluation.ranking._BLOCK_BYTES", block_bytes)
    corpus = make_corpus([110, 120, 105])
    windows = cut_windows(corpus, np.array([0, 1]), stride=4)
    pool = documents_pool(corpus, np.array([0, 1]))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    ranker = Ranker(vectors, alone(335), windows, pool, exclude_context=exclude)
    predictions = rng.normal(size=(len(windows), 8)).astype(np.float32)

    nearest = ranker.nearest(torch.from_numpy(predictions))

    for query, found in enumerate(nearest.tolist()):
        candidates = set(pool.rows.tolist())
        if exclude:
            candidates -= set(windows.context_rows[query].tolist())
        scores = {row: corpus.vectors[row] @ predictions[query] for row in candidates}
        assert found == max(scores, key=lambda row: scores[row])


def test_the_best_wrong_answer_is_neither_the_target_nor_a_duplicate_of_it(
    make_corpus: MakeCorpus, rng: np.random.Generator
) -> None:
    corpus = make_corpus([110, 120, 105])
    windows = cut_windows(corpus, np.array([0, 1]), stride=4)
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    # one passage of the third document is a duplicate of all targets
    groups = alone(335)
    groups[windows.target_rows] = groups[300] = 300
    ranker = Ranker(vectors, groups, windows, index_pool(corpus))
    noise = torch.from_numpy(rng.normal(size=(len(windows), 8)).astype(np.float32))
    predictions = vectors[300] + 0.01 * noise

    nearest = ranker.nearest(predictions)
    wrong = ranker.nearest(predictions, without_target=True)

    assert (nearest == 300).all()
    assert not np.isin(groups[wrong], 300).any()
    scores = predictions @ vectors.T
    for query, found in enumerate(wrong.tolist()):
        candidates = set(range(335)) - set(windows.context_rows[query].tolist())
        candidates -= {300, *windows.target_rows.tolist()}
        assert found == max(candidates, key=lambda row: float(scores[query, row]))
