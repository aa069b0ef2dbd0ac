"""The search in two passes, against the flat index and against everything scored."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.bundle.codes import BOUNDS, CODES, Codes
from nextvec.app.bundle.flat import FlatSearcher
from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.bundle.screened import ScreenedSearcher, pays_from
from nextvec.app.bundle.searcher import Candidates, Selection, exact_scores
from nextvec.app.bundle.vectors import as_queries, as_rows
from nextvec.app.inference.neighbors import Copies, find_neighbors
from nextvec.training.errors import BundleError
from nextvec.training.vectors import Float32, Int64, l2_normalize

NUM = 700
DIM = 24

LAYOUTS = ("random", "ties", "near ties", "close together", "spikes")


@dataclass(frozen=True)
class World:
    """The same rows, for both ways of searching."""

    rows: Float32
    flat: NeighborIndex
    screened: NeighborIndex


def make_vectors(layout: str, rng: np.random.Generator) -> Float32:
    if layout == "ties":
        return l2_normalize(rng.normal(size=(9, DIM)))[rng.integers(9, size=NUM)]
    if layout == "near ties":
        # apart by less than a code can tell
        near = l2_normalize(rng.normal(size=(9, DIM)))[rng.integers(9, size=NUM)]
        return l2_normalize(near + 1e-4 * rng.normal(size=(NUM, DIM)))
    if layout == "close together":
        center = rng.normal(size=(1, DIM))
        return l2_normalize(center + 1e-5 * rng.normal(size=(NUM, DIM)))
    if layout == "spikes":
        # one large number in a row leaves nothing of the others in its code
        some = 1e-3 * rng.normal(size=(NUM, DIM))
        some[np.arange(NUM), rng.integers(DIM, size=NUM)] = 1
        return l2_normalize(some)
    return l2_normalize(rng.normal(size=(NUM, DIM)))


def make_world(
    vectors: Float32, hubness: Float32, *, codes: Codes | None = None
) -> World:
    rows = as_rows(vectors, hubness)
    # also one query that may not find all of them
    screened = ScreenedSearcher(rows, codes or Codes.of(rows, DIM), least=0)
    return World(
        rows,
        NeighborIndex(rows, FlatSearcher(rows), dim=DIM, kind="flat", fingerprint="f"),
        NeighborIndex(rows, screened, dim=DIM, kind="flat-int8", fingerprint="f"),
    )


def best_of_all(rows: Float32, query_C: Float32, k: int, allowed: Int64) -> Int64:
    """Return the slow obvious way: score all, sort all, equal scores by row."""
    scores = exact_scores(rows[allowed], query_C)
    return allowed[np.lexsort((allowed, -scores))[:k]]


def is_proven(world: World, query_C: Float32, k: int, found: Candidates) -> bool:
    scores = np.sort(exact_scores(world.rows[found.rows], query_C))[::-1]
    return bool(scores[k - 1] > found.ceiling)


@given(
    seed=st.integers(0, 2**32 - 1),
    layout=st.sampled_from(LAYOUTS),
    k=st.integers(1, 30),
    batch=st.integers(1, 40),
    num_context=st.integers(0, 30),
    share=st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.95, 1.0, None]),
    beta=st.sampled_from([0.0, 0.5, 1.0]),
    size=st.sampled_from([1.0, 1.0, 1e-3, 20.0]),
    is_copying=st.booleans(),
)
def test_neighbors_are_those_of_the_flat_index(
    *,
    seed: int,
    layout: str,
    k: int,
    batch: int,
    num_context: int,
    share: float | None,
    beta: float,
    size: float,
    is_copying: bool,
) -> None:
    rng = np.random.default_rng(seed)
    vectors = make_vectors(layout, rng)
    # of few values: scores tie across rows
    world = make_world(vectors, (rng.integers(3, size=NUM) / 4).astype(np.float32))
    near = vectors[rng.integers(NUM, size=batch)] + 0.3 * rng.normal(size=(batch, DIM))
    queries = (size * l2_normalize(near)).astype(np.float32)
    context = vectors[rng.integers(NUM, size=num_context)] if num_context else None
    # some queries are filtered, some are not, and all are asked together
    selections = [
        None if share is None or number % 2 else Selection(rng.random(NUM) < share)
        for number in range(batch)
    ]
    copies = None
    if is_copying:
        copies, context = (
            Copies.of(rng.integers(NUM, size=5), rng.normal(size=5).astype(np.float32)),
            None,
        )
    first = world.screened.candidates(
        queries, k + num_context + 8, selections, beta=beta
    )

    for query, selection, candidates in zip(queries, selections, first, strict=True):
        found, expected = (
            find_neighbors(
                index,
                query,
                k,
                selection=selection,
                context_TD=context,
                beta=beta,
                copies=copies,
                first=given_first,
            )
            for index, given_first in ((world.screened, candidates), (world.flat, None))
        )
        assert found.rows.tolist() == expected.rows.tolist()
        assert found.scores.tobytes() == expected.scores.tobytes()


@given(
    seed=st.integers(0, 2**32 - 1),
    layout=st.sampled_from(LAYOUTS),
    k=st.integers(1, 60),
    row_spread=st.sampled_from([0, 1, 6, 15]),
    query_size=st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e6]),
    hubness_size=st.sampled_from([0.0, 0.3, 50.0, 1e5]),
    beta=st.sampled_from([0.0, 0.4, 1.0, -3.0]),
)
def test_no_other_row_scores_above_the_ceiling(
    seed: int,
    layout: str,
    k: int,
    row_spread: int,
    query_size: float,
    hubness_size: float,
    beta: float,
) -> None:
    rng = np.random.default_rng(seed)
    lengths = 10.0 ** rng.uniform(-row_spread, row_spread / 2, size=(NUM, 1))
    vectors = (make_vectors(layout, rng) * lengths).astype(np.float32)
    hubness = (hubness_size * rng.normal(size=NUM)).astype(np.float32)
    rows = as_rows(vectors, hubness)
    query = (query_size * rng.normal(size=(3, DIM))).astype(np.float32)
    allowed = rng.random(NUM) < 0.8
    selections = [None, Selection(allowed), None]

    found = Codes.of(rows, DIM).candidates(as_queries(query, beta), k, selections)

    for one, query_C, selection in zip(
        found, as_queries(query, beta), selections, strict=True
    ):
        others = np.setdiff1d(np.arange(NUM), one.rows)
        if selection is not None:
            assert allowed[one.rows].all()
            others = others[allowed[others]]
        assert len(one.rows) == len(set(one.rows.tolist())) == k
        assert exact_scores(rows[others], query_C).max() <= one.ceiling


@pytest.mark.parametrize("k", [1, 5, 50])
@pytest.mark.parametrize("batch", [1, 3, 33, 70])
@pytest.mark.parametrize("is_restricted", [False, True])
def test_a_search_is_that_of_everything_scored(
    rng: np.random.Generator, k: int, batch: int, *, is_restricted: bool
) -> None:
    world = make_world(make_vectors("random", rng), np.zeros(NUM, np.float32))
    allowed = np.ones(NUM, dtype=bool)
    allowed[::7] = not is_restricted
    selection = Selection(allowed) if is_restricted else None
    queries = l2_normalize(rng.normal(size=(batch, DIM)))

    found = world.screened.search(queries, k, selection, beta=0.3)

    for one, query_C in zip(found, as_queries(queries, 0.3), strict=True):
        best = best_of_all(world.rows, query_C, k, np.flatnonzero(allowed))
        assert one.rows.tolist() == best.tolist()
        assert one.scores.tobytes() == exact_scores(world.rows[best], query_C).tobytes()


def test_where_the_codes_show_too_little_the_flat_index_answers(
    rng: np.random.Generator,
) -> None:
    vectors = make_vectors("close together", rng)
    world = make_world(vectors, np.zeros(NUM, np.float32))
    queries = vectors[:5]

    first = world.screened.candidates(queries, 20, [None] * 5)
    found = world.screened.search(queries, 10)

    pairs = zip(as_queries(queries, 0.0), first, strict=True)
    assert not any(is_proven(world, query_C, 10, one) for query_C, one in pairs)
    expected = world.flat.search(queries, 10)
    assert [f.rows.tolist() for f in found] == [f.rows.tolist() for f in expected]
    assert [f.scores.tobytes() for f in found] == [f.scores.tobytes() for f in expected]


def test_some_queries_are_proven_and_the_others_asked_again(
    rng: np.random.Generator,
) -> None:
    # 350 rows all but the same, the others anywhere
    vectors = make_vectors("random", rng)
    vectors[:350] = make_vectors("close together", rng)[:350]
    world = make_world(vectors, np.zeros(NUM, np.float32))
    queries = np.stack([vectors[3], -vectors[3], vectors[600]])

    first = world.screened.candidates(queries, 20, [None] * 3)
    found = world.screened.search(queries, 4)

    pairs = zip(as_queries(queries, 0.0), first, strict=True)
    assert [is_proven(world, query_C, 4, one) for query_C, one in pairs] == [
        False,
        True,
        True,
    ]
    expected = world.flat.search(queries, 4)
    assert [f.rows.tolist() for f in found] == [f.rows.tolist() for f in expected]


def test_a_wrong_first_pass_is_seen_through(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    vectors = make_vectors("random", rng)
    rows = as_rows(vectors, np.zeros(NUM, np.float32))
    # the codes of other rows, and how far they are from these
    Codes.of(np.roll(rows, 1, axis=0), DIM).save(tmp_path)
    codes, bounds = np.load(tmp_path / CODES), np.load(tmp_path / BOUNDS)
    missed = vectors - bounds[0][:, None] * codes[:, :DIM]
    bounds[1] = 1.001 * np.linalg.norm(missed, axis=1)
    wrong = Codes(torch.from_numpy(codes), torch.from_numpy(bounds), DIM)
    world = make_world(vectors, np.zeros(NUM, np.float32), codes=wrong)
    queries = vectors[10:20]

    first = world.screened.candidates(queries, 20, [None] * 10)
    found = world.screened.search(queries, 5)

    for number, one in enumerate(first):
        query_C = as_queries(queries, 0.0)[number]
        best = best_of_all(rows, query_C, 5, np.arange(NUM))
        assert not set(best.tolist()) <= set(one.rows.tolist())
        assert not is_proven(world, query_C, 5, one)
        assert found[number].rows.tolist() == best.tolist()
        alone = find_neighbors(world.screened, queries[number], 5, first=one)
        assert alone.rows.tolist() == best.tolist()


def test_equal_scores_come_by_row(rng: np.random.Generator) -> None:
    vectors = make_vectors("random", rng)
    vectors[[5, 300, 699]] = vectors[77]
    world = make_world(vectors, np.zeros(NUM, np.float32))

    found = world.screened.search(np.repeat(vectors[77:78], 25, axis=0), 4)

    assert [f.rows.tolist() for f in found] == [[5, 77, 300, 699]] * 25


def test_a_filter_that_leaves_few_rows_is_left_to_the_flat_index(
    rng: np.random.Generator,
) -> None:
    rows = as_rows(make_vectors("random", rng), np.zeros(NUM, np.float32))
    screened = ScreenedSearcher(rows, Codes.of(rows, DIM), least=2)
    queries = as_queries(l2_normalize(rng.normal(size=(4, DIM))), 0.0)
    half, few = Selection(np.arange(NUM) % 2 == 0), Selection(np.arange(NUM) < 80)

    def is_flat(selections: list[Selection | None]) -> list[bool]:
        some = queries[: len(selections)]
        pairs = zip(
            screened.candidates(some, 6, selections),
            FlatSearcher(rows).candidates(some, 6, selections),
            strict=True,
        )
        return [one.ceiling == other.ceiling for one, other in pairs]

    assert is_flat([None, few, None]) == [False, True, False]
    # as much work as one query without a filter, and two are needed
    assert is_flat([half, half]) == [True, True]
    assert is_flat([half, half, half, half]) == [False] * 4


@pytest.mark.parametrize(
    ("flat_s", "screened_s", "least"),
    [
        pytest.param([2, 16], [1, 2], 1, id="always"),
        pytest.param([2, 16], [5, 7], 3, id="from a few on"),
        pytest.param([2, 16], [64.3, 67.8], 32, id="for the largest batch"),
        pytest.param([2, 16], [20, 34], np.inf, id="grows as fast"),
    ],
)
def test_the_first_pass_is_for_as_many_queries_as_make_it_faster(
    flat_s: list[float], screened_s: list[float], least: float
) -> None:
    assert pays_from(flat_s, screened_s) == least


def test_fewer_queries_than_pay_are_answered_by_the_flat_index(
    rng: np.random.Generator,
) -> None:
    rows = as_rows(make_vectors("random", rng), np.zeros(NUM, np.float32))
    searcher = ScreenedSearcher(rows, Codes.of(rows, DIM), least=3)
    queries = as_queries(l2_normalize(rng.normal(size=(3, DIM))), 0.0)
    flat = FlatSearcher(rows)

    for count in (1, 2, 3):
        scores, found = searcher.search(queries[:count], 6, None)
        first = searcher.candidates(queries[:count], 6, [None] * count)

        expected, expected_rows = flat.search(queries[:count], 6, None)
        assert found.tolist() == expected_rows.tolist()
        np.testing.assert_allclose(scores, expected, atol=1e-6)
        ceilings = [one.ceiling for one in first]
        is_flat = ceilings == [
            one.ceiling for one in flat.candidates(queries[:count], 6, [None] * count)
        ]
        assert is_flat == (count < 3)


@pytest.mark.parametrize("dim", [1, 15, 16, 64, 65])
def test_saved_codes_find_the_same(
    rng: np.random.Generator, tmp_path: Path, dim: int
) -> None:
    vectors = l2_normalize(rng.normal(size=(500, dim)))
    hubness = rng.uniform(size=500).astype(np.float32)
    made = NeighborIndex.build(vectors, hubness, kind="flat-int8", fingerprint="f")
    made.save(tmp_path)

    loaded = NeighborIndex.load(tmp_path, dim=dim, kind="flat-int8", fingerprint="f")

    assert np.load(tmp_path / CODES).shape == (500, 64 * -(-dim // 64))
    assert np.load(tmp_path / BOUNDS).shape == (4, 500)
    assert loaded.digest() == made.digest()
    flat = NeighborIndex.build(vectors, hubness, kind="flat", fingerprint="f")
    assert flat.digest() == made.digest()
    queries = l2_normalize(rng.normal(size=(4, dim)))
    for query in queries:
        one, other, judge = (
            find_neighbors(index, query, 9, beta=0.2) for index in (made, loaded, flat)
        )
        assert one.rows.tolist() == other.rows.tolist() == judge.rows.tolist()
        assert one.scores.tobytes() == other.scores.tobytes() == judge.scores.tobytes()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param(CODES, None, "No such file", id="missing"),
        pytest.param(BOUNDS, b"no numbers at all", "damaged", id="rubbish"),
        pytest.param(CODES, np.zeros((90, 64)), "got float64", id="dtype"),
        pytest.param(
            CODES, np.zeros((9, 64), np.int8), r"got int8 \(9, 64\)", id="rows"
        ),
        pytest.param(
            BOUNDS,
            np.zeros((3, 90), np.float32),
            r"expected codes of float32 \(4, 90\)",
            id="kind",
        ),
    ],
)
def test_damaged_codes_are_named(
    rng: np.random.Generator,
    tmp_path: Path,
    name: str,
    content: bytes | np.ndarray | None,
    words: str,
) -> None:
    vectors = l2_normalize(rng.normal(size=(90, 4)))
    NeighborIndex.build(vectors, kind="flat-int8", fingerprint="f").save(tmp_path)
    (tmp_path / name).unlink()
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        np.save(tmp_path / name, content)

    with pytest.raises(BundleError, match=words) as caught:
        NeighborIndex.load(tmp_path, dim=4, kind="flat-int8", fingerprint="f")

    assert str(tmp_path / name) in str(caught.value)


def test_codes_of_more_rows_than_are_held_at_once(rng: np.random.Generator) -> None:
    # a block and a slab and some more, none of them whole groups
    num = 131_072 + 8192 + 5
    vectors = l2_normalize(rng.normal(size=(num, 3)).astype(np.float32))
    rows = as_rows(vectors, np.zeros(num, np.float32))
    codes = Codes.of(rows, 3)
    query_QC = as_queries(vectors[[0, 131_071, 131_072, num - 1]], 0.0)

    found = codes.candidates(query_QC, 2000, [None] * 4)

    assert len(codes) == num
    for one, query_C in zip(found, query_QC, strict=True):
        best = best_of_all(rows, query_C, 3, np.arange(num))
        assert set(best.tolist()) <= set(one.rows.tolist())
        scores = exact_scores(rows, query_C)
        scores[one.rows] = -np.inf
        assert scores.max() <= one.ceiling


def test_all_rows_are_candidates_where_there_are_no_more(
    rng: np.random.Generator,
) -> None:
    rows = as_rows(l2_normalize(rng.normal(size=(70, 4))), np.zeros(70, np.float32))
    codes, query_QC = Codes.of(rows, 4), as_queries(rows[:2, :4].copy(), 0.0)

    some, all_but_none, more = (
        codes.candidates(query_QC, k, [None, None])[1] for k in (69, 70, 90)
    )

    assert (len(some.rows), len(all_but_none.rows), len(more.rows)) == (69, 70, 70)
    assert np.isfinite(some.ceiling)
    assert all_but_none.ceiling == more.ceiling == -np.inf
