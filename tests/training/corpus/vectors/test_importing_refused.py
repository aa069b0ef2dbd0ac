from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextvec.training.corpus.vectors import importing
from nextvec.training.corpus.vectors.importing import read_vectors
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Float32, l2_normalize


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def rows(count: int, *, dim: int = 4, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return l2_normalize(rng.normal(size=(count, dim)))


def save(path: Path, **arrays: Any) -> Path:  # noqa: ANN401 - whatever numpy takes
    np.savez(path, **arrays)
    return path


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
            {"vectors": rows(6), "document_ids": np.array(["a"] * 3 + [""] * 3)},
            "document_ids: row 3 has an empty name, expected one",
            id="empty-name",
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


def test_one_file_of_lengths_goes_with_one_file(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(CorpusError, match=r"goes with one \.npy, got 2 files"):
        read_vectors([tmp_path, tmp_path], scratch, lengths=tmp_path / "x.txt")


def test_another_kind_of_file_is_named(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(CorpusError, match=r"x\.csv: expected a .npz or .npy file"):
        read_vectors([tmp_path / "x.csv"], scratch)
