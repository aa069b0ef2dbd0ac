import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextvec.training.errors import VectorError
from nextvec.training.vectors import check_vectors, l2_normalize

nonzero_rows = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(0.1, 9)
)


@given(nonzero_rows, st.floats(0.01, 100.0))
def test_length_does_not_matter(rows: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(
        l2_normalize(rows), l2_normalize(scale * rows), atol=1e-6
    )


@given(nonzero_rows)
def test_normalized_rows_have_unit_length_and_the_same_direction(
    rows: np.ndarray,
) -> None:
    before = rows.copy()

    unit = l2_normalize(rows)

    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(unit * lengths, rows, rtol=1e-5)
    assert np.array_equal(rows, before)


def test_usable_vectors_are_returned_uncopied() -> None:
    rows = np.ones((2, 3), dtype=np.float32)

    assert check_vectors(rows, source="file", dim=3) is rows


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        pytest.param([[1.0]], "file: expected an array of vectors, got list", id="l"),
        pytest.param(
            np.ones(3), r"file: expected shape \(n, D\), got \(3,\)", id="1-D"
        ),
        pytest.param(np.ones((2, 0)), r"expected shape \(n, D\)", id="no columns"),
        pytest.param(np.ones((2, 3), int), "a float dtype, got int64", id="integers"),
        pytest.param(np.ones((2, 4)), "vectors of length 3, got 4", id="another D"),
        pytest.param(
            np.array([[1, 1, 1], [1, np.nan, 1]]), "file: row 11 holds NaN", id="NaN"
        ),
        pytest.param(
            np.array([[np.inf, 1, 1]]), "file: row 10 holds NaN or inf", id="infinity"
        ),
        pytest.param(
            np.array([[1, 1, 1], [0, 0, 0.0]]), "row 11 is a zero vector", id="zero"
        ),
        pytest.param(np.array([[1e200, 1, 1]]), "row 10 is too long", id="too long"),
    ],
)
def test_unusable_vectors_are_refused_by_row(vectors: object, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        check_vectors(vectors, source="file", dim=3, first_row=10)


def test_the_square_of_a_large_float32_is_no_reason_to_refuse_it() -> None:
    rows = np.full((1, 3), 1e30, dtype=np.float32)

    assert check_vectors(rows, source="file") is rows
    np.testing.assert_allclose(np.linalg.norm(l2_normalize(rows)), 1, rtol=1e-6)
