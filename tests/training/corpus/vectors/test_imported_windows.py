import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.parts import ignore_progress
from nextvec.training.corpus.unique import row_keys
from nextvec.training.corpus.vectors.imported_windows import (
    Windows,
    check_windows,
    each_window,
    join_windows,
    refuse_shared,
)
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Float32, l2_normalize


def rows(count: int, *, seed: int = 0, dim: int = 3) -> Float32:
    rng = np.random.default_rng(seed)
    return l2_normalize(rng.normal(size=(count, dim)))


def cut(sequence: Float32, starts: list[int], length: int) -> Windows:
    """Cut windows of ``length`` vectors, the last of each the target."""
    windows = np.stack([sequence[start : start + length] for start in starts])
    return Windows("x.npz", windows[:, :-1], windows[:, -1])


@given(st.lists(st.integers(1, 5), max_size=6), st.integers(0, 3))
def test_windows_are_joined_to_what_they_were_cut_from(
    strides: list[int], repeated: int
) -> None:
    starts = [0, *np.cumsum(strides).tolist()]
    starts += starts[-1:] * repeated  # the last window several times
    sequence = rows(starts[-1] + 6)
    windows = cut(sequence, starts, 6)

    keys_NL = check_windows(windows, ignore_progress)
    joined = join_windows(keys_NL, ["a"] * len(starts), "x.npz")

    assert joined.document_ids == ["a"]
    assert joined.lengths.tolist() == [len(sequence)]
    np.testing.assert_array_equal(windows.entries(joined.entries), sequence)


def test_chains_may_take_turns() -> None:
    one, two = rows(8, seed=1), rows(8, seed=2)
    windows = Windows(
        "x.npz",
        np.stack([one[:4], two[:4], one[2:6], two[3:7]]),
        np.stack([one[4], two[4], one[6], two[7]]),
    )

    keys_NL = check_windows(windows, ignore_progress)
    joined = join_windows(keys_NL, ["1", "2", "1", "2"], "x.npz")

    assert joined.document_ids == ["1", "2"]
    expected = np.concatenate([one[:7], two[:8]])
    np.testing.assert_array_equal(windows.entries(joined.entries), expected)


@pytest.mark.parametrize(
    "starts", [pytest.param([0, 6], id="gap"), pytest.param([4, 0], id="backwards")]
)
def test_windows_that_do_not_go_on_are_refused(starts: list[int]) -> None:
    keys_NL = check_windows(cut(rows(20), starts, 5), ignore_progress)

    with pytest.raises(
        CorpusError, match=r"x\.npz: window 1 does not go on from window 0 .* chain 'a'"
    ):
        join_windows(keys_NL, ["a", "a"], "x.npz")


def test_a_vector_that_recurs_does_not_mislead() -> None:
    sequence = rows(10)
    sequence[[1, 3]] = sequence[0]
    windows = cut(sequence, [0, 3], 6)

    keys_NL = check_windows(windows, ignore_progress)
    joined = join_windows(keys_NL, ["a", "a"], "x.npz")

    np.testing.assert_array_equal(windows.entries(joined.entries), sequence[:9])


def test_independent_windows_are_documents_of_their_own() -> None:
    windows = cut(rows(20), [0, 3], 5)

    found = each_window(2, windows.length, "x")

    assert found.document_ids == ["x-000000", "x-000001"]
    assert found.lengths.tolist() == [5, 5]
    expected = np.concatenate([rows(20)[:5], rows(20)[3:8]])
    np.testing.assert_array_equal(windows.entries(found.entries), expected)


def test_keys_are_those_of_the_normalized_rows() -> None:
    sequence = rows(9)
    found = check_windows(cut(sequence * np.float32(2), [0, 4], 5), ignore_progress)

    np.testing.assert_array_equal(found[1], row_keys(sequence)[4:])


ONES = np.ones((70, 4, 3), np.float32)
TARGETS = np.ones((70, 3), np.float32)


def with_row(array: Float32, place: tuple[int, ...], value: float) -> Float32:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("contexts", "targets", "message"),
    [
        pytest.param(
            with_row(ONES, (66, 2, 1), np.nan),
            TARGETS,
            r"context_sequences\[66\]: row 2 holds NaN",
            id="nan",
        ),
        pytest.param(
            with_row(ONES, (66, 2), 0),
            TARGETS,
            r"context_sequences\[66\]: row 2 is a zero vector",
            id="zero-in-a-context",
        ),
        pytest.param(
            ONES,
            with_row(TARGETS, (66,), 0),
            "target_vectors: row 66 is a zero vector",
            id="zero-target",
        ),
        pytest.param(
            ONES.astype(int),
            TARGETS,
            "context_sequences: expected a float dtype, got int64",
            id="whole-numbers",
        ),
        pytest.param(
            ONES,
            TARGETS.astype(int),
            "target_vectors: expected a float dtype, got int64",
            id="whole-number-targets",
        ),
        pytest.param(
            ONES[0],
            TARGETS,
            r"expected shape \(n, T, D\), none of them 0, got \(4, 3\)",
            id="rank",
        ),
        pytest.param(
            ONES[:0], TARGETS[:0], r"none of them 0, got \(0, 4, 3\)", id="no-windows"
        ),
        pytest.param(
            ONES,
            TARGETS[:69],
            r"target_vectors: expected shape \(70, 3\).*\(69, 3\)",
            id="too-few-targets",
        ),
        pytest.param(
            ONES,
            TARGETS[:, :2],
            r"target_vectors: expected shape \(70, 3\).*\(70, 2\)",
            id="mixed-length",
        ),
        pytest.param(
            np.ones((2, 101, 3), np.float32),
            TARGETS[:2],
            "expected contexts of at most 100, got 101",
            id="too-long",
        ),
    ],
)
def test_unusable_windows_are_named(
    contexts: Float32, targets: Float32, message: str
) -> None:
    with pytest.raises(VectorError, match=rf"x\.npz: .*{message}"):
        check_windows(Windows("x.npz", contexts, targets), ignore_progress)


def test_overlapping_windows_under_ids_of_their_own_are_refused() -> None:
    windows = cut(rows(60), [0, 5, 10, 40], 11)
    keys_NL = check_windows(windows, ignore_progress)
    joined = join_windows(keys_NL, ["0", "1", "2", "3"], "x.npz")
    keys = keys_NL.reshape(-1)[joined.entries]

    # 6 of the first window, all 11 of the second and 6 of the third, of 44
    with pytest.raises(CorpusError, match=r"x\.npz: 52% of the vectors occur in two"):
        refuse_shared(keys, joined, "x.npz")


@pytest.mark.parametrize("shared", [0, 1])
def test_a_little_boilerplate_may_be_shared(shared: int) -> None:
    sequence = rows(80)
    sequence[40 : 40 + shared] = sequence[:shared]
    keys = row_keys(sequence)
    joined = each_window(2, 40, "w")

    refuse_shared(keys, joined, "x.npz")
