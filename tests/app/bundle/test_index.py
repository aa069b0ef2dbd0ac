import hashlib
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.bundle.flat import FlatSearcher
from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.bundle.searcher import Searcher, Selection
from nextvec.app.bundle.vectors import VECTORS, as_queries, as_rows, load_rows
from nextvec.app.inference.neighbors import CONTEXT_COSINE, find_neighbors
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.vectors import Float32, Int64, l2_normalize

as_any: Any = faiss
# its stubs know no named parameters


def make_index(rows: Float32) -> NeighborIndex:
    return NeighborIndex.build(rows, kind="flat", fingerprint="f")


def selector_of(selection: Selection) -> Any:  # noqa: ANN401 - faiss has no types
    return as_any.IDSelectorBitmap(selection.bits)


def brute_force(
    rows: Float32,
    query: Float32,
    k: int,
    *,
    allowed: Int64,
    context: Float32 | None = None,
    correction: Float32 | None = None,
) -> Int64:
    """Return the slow obvious way: score all, sort all, leave out, cut."""
    less: Float32 = (
        np.zeros(len(rows), np.float32) if correction is None else correction
    )
    kept = [
        row
        for row in allowed.tolist()
        if context is None or (context @ rows[row]).max() < CONTEXT_COSINE
    ]
    scores = np.einsum("kd,d->k", rows[kept], query) - less[kept]
    # what differs by rounding alone is equal
    scores = scores.round(6)
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
    beta=st.sampled_from([0.0, 0.5]),
)
def test_is_exact_with_ties_restrictions_and_exclusions(
    *,
    seed: int,
    distinct: int,
    k: int,
    length: int,
    is_restricted: bool,
    is_excluding: bool,
    beta: float,
) -> None:
    rng = np.random.default_rng(seed)
    # few distinct rows, many copies: ties at every cut, and copies of the context
    rows = l2_normalize(rng.normal(size=(distinct, 3)))[rng.integers(distinct, size=30)]
    query = l2_normalize(rng.normal(size=(1, 3)))[0]
    context = rows[rng.integers(30, size=length)] if is_excluding else None
    mask = rng.random(30) < 0.5 if is_restricted else np.ones(30, dtype=bool)

    # few distinct values as well: scores tie across rows
    hubness = (rng.integers(3, size=30) / 4).astype(np.float32)

    found = find_neighbors(
        NeighborIndex.build(rows, hubness, kind="flat", fingerprint="f"),
        query,
        k,
        selection=Selection(mask) if is_restricted else None,
        context_TD=context,
        beta=beta,
    )

    expected = brute_force(
        rows,
        query,
        k,
        allowed=np.flatnonzero(mask),
        context=context,
        correction=beta * hubness,
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

    first = index.candidates(queries, 30, [None] * batch)[0]
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
    made = make_index(rows)
    made.save(tmp_path)

    loaded = NeighborIndex.load(tmp_path, dim=4, kind="flat", fingerprint="f")

    assert (len(loaded), loaded.dim) == (10, 4)
    np.testing.assert_array_equal(loaded.vectors, rows)
    for index in (made, loaded):
        found = index.search(rows[:3], 4)
        assert [f.rows[0] for f in found] == [0, 1, 2]


def test_vectors_are_mapped_and_shared_by_all_who_read_them(tmp_path: Path) -> None:
    make_index(np.eye(4, dtype=np.float32)).save(tmp_path)

    first = load_rows(tmp_path, 4)
    second = load_rows(tmp_path, 4)
    first[0, 0] = 7

    assert isinstance(second.base, np.memmap)
    assert second[0, 0] == 1
    assert first.ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"no vectors at all", "damaged", id="rubbish"),
        pytest.param(np.eye(16), r"float32 \(any, 16\), got float64", id="dtype"),
        pytest.param(np.zeros(16, np.float32), r"got float32 \(16,\)", id="shape"),
        pytest.param(np.zeros((2, 32), np.float32), r"\(2, 32\)", id="length"),
    ],
)
def test_damaged_vectors_are_named(
    tmp_path: Path, content: bytes | np.ndarray | None, words: str
) -> None:
    if isinstance(content, bytes):
        (tmp_path / VECTORS).write_bytes(content)
    elif content is not None:
        np.save(tmp_path / VECTORS, content)

    with pytest.raises(BundleError, match=words) as caught:
        NeighborIndex.load(tmp_path, dim=4, kind="flat", fingerprint="f")

    assert str(tmp_path / VECTORS) in str(caught.value)


@pytest.mark.parametrize("num_queries", [1, 3, 19, 20, 33])
@pytest.mark.parametrize("is_restricted", [False, True])
def test_the_flat_index_answers_as_the_one_of_faiss(
    rng: np.random.Generator, num_queries: int, *, is_restricted: bool
) -> None:
    rows = l2_normalize(rng.normal(size=(500, 24)))
    rows[100:150] = rows[:50]  # ties
    queries = l2_normalize(rng.normal(size=(num_queries, 24)))
    selection = Selection(rng.random(500) < 0.3) if is_restricted else None
    hubness = rng.uniform(size=500).astype(np.float32)
    judge: Any = faiss.IndexFlatIP(32)
    judge.add(as_rows(rows, hubness))
    told = None
    if selection is not None:
        told = as_any.SearchParameters(sel=selector_of(selection))

    index = NeighborIndex.build(rows, hubness, kind="flat", fingerprint="f")
    found = index.search(queries, 40, selection, beta=0.4)

    scores, expected = judge.search(as_queries(queries, 0.4), 40, params=told)
    assert [f.rows.tolist() for f in found] == expected.tolist()
    assert np.stack([f.scores for f in found]).tobytes() == scores.tobytes()


def test_the_digest_is_that_of_the_file_faiss_would_write(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    rows = l2_normalize(rng.normal(size=(10, 4)))
    judge: Any = faiss.IndexFlatIP(16)
    judge.add(as_rows(rows, np.zeros(10, np.float32)))
    faiss.write_index(judge, str(tmp_path / "index"))

    found = make_index(rows).digest()

    assert found == hashlib.sha256((tmp_path / "index").read_bytes()).hexdigest()


class Cells(Searcher):
    """An inverted file: a kind that finds less than there is, with a file of its own.

    It has no vectors to show, and fills what it does not find with -1.
    """

    def __init__(self, index: Any) -> None:  # noqa: ANN401 - faiss has no types
        self._index = index

    @classmethod
    def build(cls, vectors_ND: Float32, _dim: int) -> Self:
        index: Any = faiss.index_factory(
            vectors_ND.shape[1], "IVF4,SQ8", faiss.METRIC_INNER_PRODUCT
        )
        index.train(vectors_ND)
        index.add(vectors_ND)
        return cls(index)

    @classmethod
    def load(cls, folder: Path, _vectors_ND: Float32, _dim: int) -> Self:
        return cls(faiss.read_index(str(folder / "cells.faiss")))

    def save(self, folder: Path) -> None:
        faiss.write_index(self._index, str(folder / "cells.faiss"))

    def digest(self) -> str:
        octets: np.ndarray = faiss.serialize_index(self._index)
        return hashlib.sha256(octets.tobytes()).hexdigest()

    def search(
        self, query_QD: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        told = None
        if selection is not None:
            told = as_any.SearchParametersIVF(sel=selector_of(selection))
        found: tuple[Float32, Int64] = self._index.search(query_QD, k, params=told)
        return found


@pytest.fixture
def _cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nextvec.app.bundle.index.INDEX_KINDS", {"flat": FlatSearcher, "cells": Cells}
    )


@pytest.mark.usefixtures("_cells")
class TestAnIndexThatFindsLess:
    def make(self, rows: Float32) -> NeighborIndex:
        return NeighborIndex.build(rows, kind="cells", fingerprint="f")

    @pytest.mark.parametrize("k", [1, 10, 200, 500])
    def test_a_search_comes_to_its_end(self, rng: np.random.Generator, k: int) -> None:
        rows = l2_normalize(rng.normal(size=(200, 8)))
        index = self.make(rows)

        found = find_neighbors(index, rows[3], k, context_TD=rows[:1])

        assert 1 <= len(found.rows) < 200
        assert found.rows[0] == 3
        # scored on the vectors themselves, whatever the index keeps of them
        np.testing.assert_allclose(found.scores, rows[found.rows] @ rows[3], atol=1e-6)

    def test_a_restricted_search_comes_to_its_end(
        self, rng: np.random.Generator
    ) -> None:
        rows = l2_normalize(rng.normal(size=(200, 8)))
        allowed = np.zeros(200, dtype=bool)
        allowed[:40] = True

        found = find_neighbors(
            self.make(rows), rows[3], 40, selection=Selection(allowed)
        )

        assert 1 <= len(found.rows) < 40
        assert found.rows.max() < 40

    def test_it_keeps_its_own_file_beside_the_vectors(
        self, rng: np.random.Generator, tmp_path: Path
    ) -> None:
        rows = l2_normalize(rng.normal(size=(200, 8)))
        made = self.make(rows)
        made.save(tmp_path)

        loaded = NeighborIndex.load(tmp_path, dim=8, kind="cells", fingerprint="f")

        assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.faiss", VECTORS]
        assert loaded.digest() == made.digest()
        one, other = (find_neighbors(i, rows[5], 9).rows for i in (made, loaded))
        assert one.tolist() == other.tolist()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BundleError, match="must be one of flat-int8, flat, got 'tree'"):
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
