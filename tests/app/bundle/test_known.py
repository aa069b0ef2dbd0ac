from pathlib import Path

import numpy as np
import pytest

from nextvec.app.bundle import known
from nextvec.app.bundle.known import KNOWN, KnownItems
from nextvec.training.errors import BundleError
from nextvec.training.vectors import Float32, l2_normalize


def unit_rows(num: int, dim: int, *, seed: int = 0) -> Float32:
    return l2_normalize(np.random.default_rng(seed).normal(size=(num, dim)))


@pytest.mark.parametrize("dim", [3, 64, 1024])
def test_every_item_is_found_by_the_vector_it_was_given(dim: int) -> None:
    vectors = unit_rows(500, dim)
    order = np.random.default_rng(1).permutation(500)

    found = KnownItems.of(vectors).rows_of(vectors[order])

    assert found.tolist() == order.tolist()


@pytest.mark.parametrize("factor", [1e-3, 1 / 3, 7.77, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_item_is_found_however_long_its_vector_was_sent(
    factor: float, dtype: type[np.floating]
) -> None:
    vectors = unit_rows(300, 256)
    sent = l2_normalize((factor * vectors.astype(dtype)).astype(dtype))

    found = KnownItems.of(vectors).rows_of(sent)

    assert found.tolist() == list(range(300))


def test_a_stranger_is_no_item() -> None:
    vectors = unit_rows(300, 16)
    near = l2_normalize(vectors + 0.001 * unit_rows(300, 16, seed=2))
    items = KnownItems.of(vectors)

    assert (items.rows_of(unit_rows(400, 16, seed=1)) == -1).all()
    assert (items.rows_of(near) == -1).all()
    assert (items.rows_of(-vectors) == -1).all()
    both = np.concatenate([vectors[[7]], near[[7]], vectors[[299]]])
    assert items.rows_of(both).tolist() == [7, -1, 299]


def test_of_items_with_one_vector_it_is_the_first() -> None:
    vectors = unit_rows(20, 8)
    vectors[[4, 11]] = vectors[17]

    found = KnownItems.of(vectors).rows_of(vectors)

    assert found.tolist() == [4 if row in {11, 17} else row for row in range(20)]


@pytest.mark.parametrize("many", [1, 7, 1 << 16])
def test_it_is_the_first_however_many_are_compared_at_once(
    monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(known, "_MANY", many)
    vectors = unit_rows(60, 8)
    vectors[10:30] = vectors[30]
    asked = np.concatenate([vectors[::-1], unit_rows(40, 8, seed=1), vectors])

    found = KnownItems.of(vectors).rows_of(asked)

    rows = [10 if 10 <= row <= 30 else row for row in range(60)]
    assert found.tolist() == [*rows[::-1], *[-1] * 40, *rows]


def test_of_no_vectors_no_row_is_found() -> None:
    assert KnownItems.of(unit_rows(5, 8)).rows_of(unit_rows(5, 8)[:0]).tolist() == []


def test_it_comes_back_from_a_folder(tmp_path: Path) -> None:
    vectors = unit_rows(50, 8)
    KnownItems.of(vectors).save(tmp_path)

    loaded = KnownItems.load(tmp_path)

    assert len(loaded) == 50
    assert loaded.rows_of(vectors).tolist() == list(range(50))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KNOWN).write_bytes(content)

    with pytest.raises(BundleError, match=f"{KNOWN}: the known vectors are damaged"):
        KnownItems.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"{KNOWN}: the known vectors are damaged"):
        KnownItems.load(tmp_path)


@pytest.mark.parametrize("shape", [(5,), (5, 7), (5, 8, 1)])
def test_an_array_of_another_shape_is_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / KNOWN, np.zeros(shape, np.float32))

    with pytest.raises(
        BundleError, match=rf"float32 \(any, 8\), got float32 \({shape[0]},"
    ):
        KnownItems.load(tmp_path)


def test_products_of_another_type_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / KNOWN, np.zeros((5, 8)))

    with pytest.raises(BundleError, match=r"got float64 \(5, 8\)"):
        KnownItems.load(tmp_path)
