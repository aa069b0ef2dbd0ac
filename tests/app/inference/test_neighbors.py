"""Neighbors with copies, against a search of everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.inference.neighbors import Copies, find_neighbors
from nextvec.training.vectors import Float32, Int64, l2_normalize


def index_of(num: int, dim: int, rng: np.random.Generator) -> NeighborIndex:
    return NeighborIndex.build(
        l2_normalize(rng.normal(size=(num, dim))),
        rng.normal(size=num).astype(np.float32),
        kind="flat",
        fingerprint="0",
    )


def slow_scores(
    index: NeighborIndex, query_D: Float32, rows_T: Int64, weight_T: Float32
) -> np.ndarray:
    score_N: np.ndarray = np.exp(
        (index.vectors @ query_D - index.hubness).astype(np.float64)
    )
    for row, weight in zip(rows_T.tolist(), weight_T.tolist(), strict=True):
        if row >= 0:
            score_N[row] += np.exp(weight)
    return np.asarray(np.log(score_N))


@given(
    seed=st.integers(0, 2**32 - 1),
    num=st.integers(1, 300),
    k=st.integers(1, 40),
    length=st.integers(1, 30),
    size=st.sampled_from([0.1, 1.0, 8.0]),
)
def test_neighbors_with_copies_are_those_of_a_search_of_everything(
    seed: int, num: int, k: int, length: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    index = index_of(num, 4, rng)
    query_D = (size * rng.normal(size=4)).astype(np.float32)
    rows_T = rng.integers(-1, num, size=length)
    weight_T = (size * rng.normal(size=length)).astype(np.float32)
    weight_T[rng.random(length) < 0.2] = -1e4

    found = find_neighbors(
        index, query_D, k, beta=1.0, copies=Copies.of(rows_T, weight_T)
    )

    score_N = slow_scores(index, query_D, rows_T, weight_T)
    best = np.lexsort((np.arange(num), -score_N))[:k]
    np.testing.assert_allclose(found.scores, score_N[best], atol=1e-4)
    # rows whose scores are closer than rounding may change places
    np.testing.assert_allclose(score_N[found.rows], score_N[best], atol=1e-4)
    assert len(set(found.rows.tolist())) == len(found.rows) == min(k, num)


def test_a_copied_item_is_found_from_the_last_place_of_the_index(
    rng: np.random.Generator,
) -> None:
    index = index_of(2000, 4, rng)
    query_D = np.ones(4, np.float32)
    last = index.search(query_D[None], 2000, beta=1.0)[0].rows[-1]
    copies = Copies.of(np.array([last, 5, last]), np.array([9, -9, 9], np.float32))

    found = find_neighbors(index, query_D, 3, beta=1.0, copies=copies)
    bare = find_neighbors(index, query_D, 3, beta=1.0)

    assert found.rows.tolist() == [last, *bare.rows[:2].tolist()]
    assert found.scores[0] == pytest.approx(9 + np.log(2), abs=1e-3)
    np.testing.assert_allclose(found.scores[1:], bare.scores[:2], atol=1e-5)


def test_places_of_one_item_weigh_together_and_strangers_nothing() -> None:
    rows_T = np.array([7, -1, 3, 7, 3, -1])
    weight_T = np.log(np.array([1, 50, 2, 3, 4, 60], np.float32))

    copies = Copies.of(rows_T, weight_T)

    assert copies.rows.tolist() == [3, 7]
    np.testing.assert_allclose(np.exp(copies.weights), [6, 4], rtol=1e-5)
    raised = copies.raised(np.array([2, 3, 7, 9]), np.zeros(4, np.float32))
    np.testing.assert_allclose(np.exp(raised), [1, 7, 5, 1], rtol=1e-5)


def test_a_context_of_strangers_copies_nothing(rng: np.random.Generator) -> None:
    index = index_of(50, 4, rng)
    query_D = rng.normal(size=4).astype(np.float32)
    nothing = Copies.of(np.full(5, -1), np.zeros(5, np.float32))

    found = find_neighbors(index, query_D, 9, beta=1.0, copies=nothing)

    bare = find_neighbors(index, query_D, 9, beta=1.0)
    assert found.rows.tolist() == bare.rows.tolist()
    assert found.scores.tolist() == bare.scores.tolist()
