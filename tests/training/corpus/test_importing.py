from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus import importing
from training.corpus.importing import Imported, read_vectors
from training.corpus.parts import Parts
from training.errors import CorpusError, VectorError
from training.vectors import Float32, l2_normalize


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


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        pytest.param(
            {"vectors": rows(1, dim=5), "document_ids": [9]},
            VectorError,
            r"two\.npz: expected vectors of length 4 as in .*one\.npz, got 5",
            id="mixed-length",
        ),
        pytest.param(
            {"vectors": rows(1), "document_ids": [1]},
            CorpusError,
            r"two\.npz: document '1' is in .*one\.npz too",
            id="document-in-two-files",
        ),
        pytest.param(
            {"vectors": rows(1), "document_ids": [9], "texts": ["a"]},
            CorpusError,
            r"two\.npz: expected texts in all files or in none",
            id="texts",
        ),
        pytest.param(
            {"vectors": rows(1), "document_ids": [9], "ids": ["a"]},
            CorpusError,
            r"two\.npz: expected ids in all files or in none",
            id="ids",
        ),
    ],
)
def test_files_that_do_not_go_together_are_named(
    tmp_path: Path,
    scratch: Path,
    other: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    one = save(tmp_path / "one.npz", vectors=rows(1), document_ids=[1])
    two = save(tmp_path / "two.npz", **other)

    with pytest.raises(error, match=message):
        read_vectors([one, two], scratch)


def spoiled(value: float) -> Float32:
    vectors = rows(6)
    vectors[4, 1] = value
    return vectors


def zeroed() -> Float32:
    vectors = rows(6)
    vectors[4] = 0
    return vectors


IDS = np.array([1, 1, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        pytest.param(
            {"vectors": spoiled(np.nan), "document_ids": IDS},
            "vectors: row 4 holds NaN or infinity",
            id="nan",
        ),
        pytest.param(
            {"vectors": spoiled(np.inf), "document_ids": IDS},
            "vectors: row 4 holds NaN or infinity",
            id="infinity",
        ),
        pytest.param(
            {"vectors": zeroed(), "document_ids": IDS},
            "vectors: row 4 is a zero vector",
            id="zero-row",
        ),
        pytest.param(
            {"vectors": np.array([[1e200, 0.0]] * 6), "document_ids": IDS},
            "vectors: row 0 is too long to normalize",
            id="too-great",
        ),
        pytest.param(
            {"vectors": np.ones(6, np.float32), "document_ids": IDS},
            r"vectors: expected shape \(n, D\).*got \(6,\)",
            id="rank",
        ),
        pytest.param(
            {"vectors": np.float32(1), "document_ids": IDS},
            r"vectors: expected shape \(n, D\).*got \(\)",
            id="scalar",
        ),
        pytest.param(
            {"vectors": np.ones((0, 4), np.float32), "document_ids": IDS[:0]},
            r"vectors: expected shape .*got \(0, 4\)",
            id="no-vectors",
        ),
        pytest.param(
            {"vectors": np.ones((6, 2), int), "document_ids": IDS},
            "vectors: expected a float dtype, got int64",
            id="whole-numbers",
        ),
        pytest.param(
            {"vectors": np.array([["a"]] * 6), "document_ids": IDS},
            "vectors: expected a float dtype, got <U1",
            id="text-for-vectors",
        ),
        pytest.param(
            {"vectors": rows(6), "document_ids": IDS[:5]},
            r"document_ids: expected 6 whole numbers or texts, got shape \(5,\)",
            id="too-few-ids",
        ),
        pytest.param(
            {"vectors": rows(6), "document_ids": np.array([1, 1, 2, 1, 2, 2])},
            "document_ids: row 3 is of document '1' again, which began at row 0",
            id="document-comes-back",
        ),
        pytest.param(
            {"vectors": rows(6), "document_ids": IDS, "chain_ids": IDS},
            "found document_ids and chain_ids",
            id="both-ids",
        ),
        pytest.param({"vectors": rows(6)}, "found neither", id="no-ids"),
        pytest.param(
            {"vectors": rows(6), "chain_ids": IDS, "texts": np.array(["a"])},
            "texts: expected 6 whole numbers or texts",
            id="too-few-texts",
        ),
        pytest.param({"other": rows(6)}, "found none", id="nothing-known"),
        pytest.param(
            {"context_sequences": np.ones((2, 3, 4))},
            "found context_sequences",
            id="no-targets",
        ),
    ],
)
def test_an_unusable_archive_is_named(
    tmp_path: Path, scratch: Path, arrays: dict[str, Any], message: str
) -> None:
    file = save(tmp_path / "x.npz", **arrays)

    with pytest.raises((CorpusError, VectorError), match=message) as refused:
        read_vectors([file], scratch)

    assert str(file) in str(refused.value)


def test_rows_are_counted_from_the_start_of_the_file(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BLOCK", 3)
    np.save(tmp_path / "x.npy", spoiled(np.nan))

    with pytest.raises(VectorError, match=r"x\.npy: row 4 holds NaN"):
        read_vectors([tmp_path / "x.npy"], scratch)


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


def test_one_file_of_lengths_goes_with_one_file(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(CorpusError, match=r"goes with one \.npy, got 2 files"):
        read_vectors([tmp_path, tmp_path], scratch, lengths=tmp_path / "x.txt")


def test_another_kind_of_file_is_named(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(CorpusError, match=r"x\.csv: expected a .npz or .npy file"):
        read_vectors([tmp_path / "x.csv"], scratch)


def test_progress_is_told_for_each_block(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BLOCK", 4)
    file = save(tmp_path / "x.npz", vectors=rows(6), document_ids=IDS)
    told: list[tuple[str, int, int]] = []

    found: Imported = read_vectors(
        [file], scratch, progress=lambda *event: told.append(event)
    )

    assert found.parts.name == str(file)
    assert told == [("checking vectors", 4, 6), ("checking vectors", 6, 6)]
