from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bundle.index import NeighborIndex, Selection
from app.inference.neighbors import CONTEXT_COSINE, find_neighbors
from training.errors import BundleError, IndexMismatchError
from training.vectors import Float32, Int64, l2_normalize


def make_index(rows: Float32) -> NeighborIndex:
    return NeighborIndex.build(rows, kind="flat", fingerprint="f")


def brute_force(
    rows: Float32,
    query: Float32,
    k: int,
    *,
    allowed: Int64,
    context: Float32 | None = None,
) -> Int64:
    """Return the slow obvious way: score all, sort all, leave out, cut."""
    kept = [
        row
        for row in allowed.tolist()
        if context is None or (context @ rows[row]).max() < CONTEXT_COSINE
    ]
    scores = np.einsum("kd,d->k", rows[kept], query)
    return np.array(kept, dtype=np.int64)[np.lexsort((kept, -scores))[:k]]


@pytest.mark.parametrize("k", [1, 3, 20, 50])
def test_agrees_with_brute_force(rng: np.random.Generator, k: int) -> None:
    rows = l2_normalize(rng.normal(size=(20, 4)))
    query = l2_normalize(rng.normal(size=(1, 4)))[0]

    found = find_neighbors(make_index(rows), query, k)

    expected = brute_force(rows, query, k, allowed=np.arange(20))
    assert found.rows.tolist() == expected.tolist()
    np.testing.assert_allclose(found.scores, rows[expected] @ query, atol=1e-6)


@given(
    seed=st.integers(0, 10_000),
    distinct=st.integers(1, 12),
    k=st.integers(1, 40),
    length=st.integers(1, 6),
    is_restricted=st.booleans(),
    is_excluding=st.booleans(),
)
def test_is_exact_with_ties_restrictions_and_exclusions(
    *,
    seed: int,
    distinct: int,
    k: int,
    length: int,
    is_restricted: bool,
    is_excluding: bool,
) -> None:
    rng = np.random.default_rng(seed)
    # few distinct rows, many copies: ties at every cut, and copies of the context
    rows = l2_normalize(rng.normal(size=(distinct, 3)))[rng.integers(distinct, size=30)]
    query = l2_normalize(rng.normal(size=(1, 3)))[0]
    context = rows[rng.integers(30, size=length)] if is_excluding else None
    mask = rng.random(30) < 0.5 if is_restricted else np.ones(30, dtype=bool)

    found = find_neighbors(
        make_index(rows),
        query,
        k,
        selection=Selection(mask) if is_restricted else None,
        context_TD=context,
    )

    expected = brute_force(
        rows, query, k, allowed=np.flatnonzero(mask), context=context
    )
    assert found.rows.tolist() == expected.tolist()


def test_always_k_results_when_copies_of_the_context_fill_the_first_search() -> None:
    copies = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (500, 1))
    others = l2_normalize(np.column_stack([np.ones(7), np.arange(1, 8)]))
    rows = np.concatenate([copies, others])

    found = find_neighbors(make_index(rows), rows[0], 5, context_TD=rows[:1])

    assert found.rows.tolist() == [500, 501, 502, 503, 504]


@pytest.mark.parametrize("batch", [1, 2, 19, 20, 40])
def test_the_answer_does_not_depend_on_the_batch(
    rng: np.random.Generator, batch: int
) -> None:
    rows = l2_normalize(rng.normal(size=(300, 16)))
    queries = l2_normalize(rng.normal(size=(batch, 16)))
    index = make_index(rows)

    first = index.search(queries, 30)[0]
    together = find_neighbors(index, queries[0], 10, first=first)

    alone = find_neighbors(index, queries[0], 10)
    assert together.rows.tolist() == alone.rows.tolist()
    assert together.scores.tobytes() == alone.scores.tobytes()


def test_minus_one_never_leaves_the_index(rng: np.random.Generator) -> None:
    rows = l2_normalize(rng.normal(size=(10, 4)))
    allowed = np.zeros(10, dtype=bool)
    allowed[[2, 5]] = True

    found = make_index(rows).search(rows[:3], 8, Selection(allowed))

    assert [sorted(f.rows.tolist()) for f in found] == [[2, 5]] * 3
    assert all(len(f.scores) == 2 for f in found)


def test_nothing_allowed_finds_nothing(rng: np.random.Generator) -> None:
    rows = l2_normalize(rng.normal(size=(10, 4)))

    found = find_neighbors(
        make_index(rows), rows[0], 3, selection=Selection(np.zeros(10, dtype=bool))
    )

    assert len(found.rows) == 0


def test_a_saved_index_finds_the_same(rng: np.random.Generator, tmp_path: Path) -> None:
    rows = l2_normalize(rng.normal(size=(10, 4)))
    make_index(rows).save(tmp_path / "index")

    loaded = NeighborIndex.load(tmp_path / "index", kind="flat", fingerprint="f")

    assert (len(loaded), loaded.dim) == (10, 4)
    np.testing.assert_array_equal(loaded.vectors, rows)


def test_a_damaged_index_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"no index at all, but long enough for a header")

    with pytest.raises(BundleError, match="not a readable index"):
        NeighborIndex.load(tmp_path / "index", kind="flat", fingerprint="f")


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    faiss.write_index(faiss.IndexFlatL2(4), str(tmp_path / "index"))

    with pytest.raises(BundleError, match="expected IndexFlatIP"):
        NeighborIndex.load(tmp_path / "index", kind="flat", fingerprint="f")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BundleError, match="must be one of flat, got 'tree'"):
        NeighborIndex.build(np.eye(2, dtype=np.float32), kind="tree", fingerprint="f")


@pytest.mark.parametrize(
    ("dim", "fingerprint", "words"),
    [
        pytest.param(5, "f", "predicts 5 numbers, index takes 4", id="dimension"),
        pytest.param(4, "g", "trained on corpus g, index holds f", id="corpus"),
    ],
)
def test_a_model_it_was_not_made_for_is_refused(
    dim: int, fingerprint: str, words: str
) -> None:
    index = make_index(np.eye(4, dtype=np.float32))

    index.require(dim=4, fingerprint="f")
    with pytest.raises(IndexMismatchError, match=words):
        index.require(dim=dim, fingerprint=fingerprint)
