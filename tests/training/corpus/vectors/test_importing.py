from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.parts import Parts
from nextvec.training.corpus.vectors import importing
from nextvec.training.corpus.vectors.importing import Imported, read_vectors
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32, l2_normalize


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def rows(count: int, *, dim: int = 4, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return l2_normalize(rng.normal(size=(count, dim)))


def read_all(parts: Parts) -> np.ndarray:
    return np.asarray(parts.read(0, len(parts.keys)))


def save(path: Path, **arrays: Any) -> Path:  # noqa: ANN401 - whatever numpy takes
    np.savez(path, **arrays)
    return path


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    dim=st.integers(1, 5),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    block=st.integers(1, 7),
    as_npy=st.booleans(),
)
def test_vectors_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    dim: int,
    dtype: type,
    block: int,
    *,
    as_npy: bool,
) -> None:
    folder = tmp_path_factory.mktemp("import")
    drawn = np.random.default_rng(1).normal(size=(sum(lengths), dim))
    vectors: np.ndarray = drawn.astype(dtype)
    if as_npy:
        file = folder / "x.npy"
        np.save(file, vectors)
        np.save(folder / "x.lengths.npy", np.array(lengths))
    else:
        numbers = np.repeat(np.arange(len(lengths)), lengths)
        file = save(folder / "x.npz", vectors=vectors, document_ids=numbers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "_BLOCK", block)
        parts = read_vectors([file], folder).parts

    assert parts.lengths.tolist() == lengths
    assert parts.dim == dim
    np.testing.assert_array_equal(read_all(parts), vectors)


def test_a_flat_archive_keeps_names_ids_and_texts(
    tmp_path: Path, scratch: Path
) -> None:
    file = save(
        tmp_path / "x.npz",
        vectors=rows(3),
        chain_ids=np.array(["b", "b", "a"]),
        texts=np.array(["one", "two", "three"]),
        ids=np.array([30, 10, 20]),
    )

    parts = read_vectors([file], scratch).parts

    assert parts.document_ids == ["b", "a"]
    assert parts.texts == ["one", "two", "three"]
    assert parts.ids == ["30", "10", "20"]


def test_windows_with_chains_are_joined(tmp_path: Path, scratch: Path) -> None:
    sequence = rows(12)
    windows = np.stack([sequence[start : start + 6] for start in (0, 3, 6)])
    file = save(
        tmp_path / "x.npz",
        context_sequences=windows[:, :-1],
        target_vectors=windows[:, -1],
        chain_ids=np.array([5, 5, 5]),
    )

    found = read_vectors([file], scratch, windows_independent=True)

    assert found.parts.document_ids == ["5"]
    assert not found.windows_declared_independent
    np.testing.assert_array_equal(read_all(found.parts), sequence)


def test_independent_windows_need_the_word_of_the_user(
    tmp_path: Path, scratch: Path
) -> None:
    windows = rows(18).reshape(3, 6, 4)
    file = save(
        tmp_path / "x.npz",
        context_sequences=windows[:, :-1],
        target_vectors=windows[:, -1],
    )

    with pytest.raises(CorpusError, match=r"x\.npz: expected chain_ids"):
        read_vectors([file], scratch)
    found = read_vectors([file], scratch, windows_independent=True)

    assert found.windows_declared_independent
    assert found.parts.document_ids == ["x-000000", "x-000001", "x-000002"]
    np.testing.assert_array_equal(read_all(found.parts), windows.reshape(18, 4))


def test_files_are_put_one_after_the_other(tmp_path: Path, scratch: Path) -> None:
    one = save(tmp_path / "one.npz", vectors=rows(3), document_ids=[1, 1, 2])
    two = save(tmp_path / "two.npz", vectors=rows(2, seed=2), document_ids=[3, 3])

    parts = read_vectors([one, two], scratch).parts

    assert parts.document_ids == ["1", "2", "3"]
    assert parts.texts is None
    expected = np.concatenate([rows(3), rows(2, seed=2)])
    np.testing.assert_array_equal(read_all(parts), expected)
    np.testing.assert_array_equal(parts.read(1, 4), expected[1:4])
    np.testing.assert_array_equal(parts.read(3, 5), expected[3:])


def test_texts_of_several_files_are_joined(tmp_path: Path, scratch: Path) -> None:
    files = [
        save(
            tmp_path / f"{name}.npz",
            vectors=rows(1, seed=number),
            document_ids=[number],
            texts=[name],
            ids=[name],
        )
        for number, name in enumerate(["one", "two"])
    ]

    parts = read_vectors(files, scratch).parts

    assert parts.texts == parts.ids == ["one", "two"]


def test_lengths_are_found_beside_a_npy_or_named(tmp_path: Path, scratch: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, rows(6))

    with pytest.raises(CorpusError, match=r"lengths in x\.lengths\.npy or .* found no"):
        read_vectors([file], scratch)
    (tmp_path / "other.txt").write_text("1 5")
    named = read_vectors([file], scratch, lengths=tmp_path / "other.txt")
    (tmp_path / "x.lengths.json").write_text("[2, 4]")
    beside = read_vectors([file], scratch)

    assert named.parts.lengths.tolist() == [1, 5]
    assert beside.parts.lengths.tolist() == [2, 4]
    assert beside.parts.document_ids == ["x-000000", "x-000001"]


def test_progress_is_told_for_each_block(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BLOCK", 4)
    file = save(tmp_path / "x.npz", vectors=rows(6), document_ids=[1] * 6)
    told: list[tuple[str, int, int]] = []

    found: Imported = read_vectors(
        [file], scratch, progress=lambda *event: told.append(event)
    )

    assert found.parts.name == str(file)
    assert told == [("checking vectors", 4, 6), ("checking vectors", 6, 6)]
