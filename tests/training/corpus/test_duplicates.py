import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.corpus.duplicates import duplicate_groups
from nextvec.training.vectors import Float32, Int64, l2_normalize


def brute_force(vectors: Float32, cosine: float) -> Int64:
    wide = vectors.astype(np.float64)
    score = wide @ wide.T
    group = np.arange(len(vectors))
    changed = True
    while changed:
        smallest = np.where(score > cosine, group, len(vectors)).min(axis=1)
        smallest = np.minimum(smallest, group)
        changed = bool((smallest != group).any())
        group = smallest
    return group


def same_partition(left: Int64, right: Int64) -> bool:
    return bool(((left[:, None] == left) == (right[:, None] == right)).all())


@settings(max_examples=40)
@given(
    dim=st.sampled_from([2, 12, 13, 40]),
    centers=st.integers(1, 15),
    copies=st.integers(1, 8),
    noise=st.sampled_from([0.0, 1e-4, 0.01, 0.03, 0.3]),
    seed=st.integers(0, 99),
)
def test_groups_agree_with_brute_force(
    dim: int, centers: int, copies: int, noise: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    center = l2_normalize(rng.normal(size=(centers, dim)))
    rows = np.repeat(center, copies, axis=0)
    rows = rows + noise * rng.normal(size=rows.shape) / np.sqrt(dim)
    vectors = l2_normalize(rng.permutation(rows))
    score = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    off_diagonal = score[~np.eye(len(score), dtype=bool)]
    if (np.abs(off_diagonal - 0.999) < 1e-6).any():
        return  # too near for float32 to say

    groups = duplicate_groups(vectors)

    assert same_partition(groups, brute_force(vectors, 0.999))


def test_a_chain_of_near_pairs_is_one_group() -> None:
    angles = np.arange(10) * 0.04  # cosine of neighbours .9992, of the ends .936
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    assert len(set(duplicate_groups(vectors).tolist())) == 1


@pytest.mark.parametrize(("angle", "num_groups"), [(0.044, 1), (0.046, 2)])
def test_the_threshold_is_a_cosine_of_0_999(angle: float, num_groups: int) -> None:
    rows = np.zeros((2, 30), dtype=np.float32)
    rows[0, 0] = 1
    rows[1, :2] = np.cos(angle), np.sin(angle)

    assert len(set(duplicate_groups(rows).tolist())) == num_groups


def test_groups_are_numbered_from_zero_without_gaps() -> None:
    rng = np.random.default_rng(0)
    vectors = l2_normalize(rng.normal(size=(50, 20)))[rng.integers(50, size=200)]

    groups = duplicate_groups(vectors)

    assert groups.dtype == np.int64
    assert np.array_equal(np.unique(groups), np.arange(groups.max() + 1))


def test_thousands_of_equal_rows_are_one_group() -> None:
    vectors = np.repeat(np.eye(3, 20, dtype=np.float32), 5000, axis=0)

    groups = duplicate_groups(vectors)

    assert np.array_equal(groups, np.repeat([0, 1, 2], 5000)) or len(set(groups)) == 3


def test_a_pair_just_above_the_threshold_is_found_though_rows_are_a_bit_long() -> None:
    # unit rows in float32 can be a little too long, so their distance is as well
    scale = np.float32(1 + 4e-7)
    cosine = 0.999 + 2e-7
    rows = np.zeros((2, 2), dtype=np.float64)
    rows[0, 0] = 1
    rows[1] = cosine, np.sqrt(1 - cosine**2)
    vectors = (rows * scale).astype(np.float32)

    assert same_partition(duplicate_groups(vectors), brute_force(vectors, 0.999))


def test_one_row_is_one_group() -> None:
    assert duplicate_groups(np.eye(1, 4, dtype=np.float32)).tolist() == [0]


def test_it_is_told_how_many_rows_were_searched() -> None:
    rows = l2_normalize(np.random.default_rng(0).normal(size=(50, 20)))
    told: list[tuple[int, int]] = []

    duplicate_groups(
        np.concatenate([rows, rows]).astype(np.float32),
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == sorted(told)
    assert told[-1] == (50, 50)
    assert told[0][0] > 0
    assert len({done for done, _ in told}) > 10
