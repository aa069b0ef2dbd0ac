import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.vectors.arrays import (
    open_npy,
    open_npz,
    read_lengths,
    read_names,
)
from nextvec.training.errors import CorpusError


class Trap:
    """Would leave a trace if it were ever unpickled."""

    sprung = False

    def __setstate__(self, state: object) -> None:
        Trap.sprung = True


def save_objects(path: Path) -> None:
    array = np.array([Trap(), None], dtype=object)
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, allow_pickle=True)


def test_an_array_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3))

    array = open_npy(tmp_path / "x.npy")

    assert isinstance(array, np.memmap)
    np.testing.assert_array_equal(array, np.eye(3))


def test_an_object_array_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    save_objects(file)

    with pytest.raises(CorpusError, match=r"x\.npy: .*found an object array"):
        open_npy(file)

    assert not Trap.sprung


def test_an_object_array_in_an_archive_is_refused(tmp_path: Path) -> None:
    save_objects(tmp_path / "vectors.npy")
    file = tmp_path / "x.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(tmp_path / "vectors.npy", "vectors.npy")

    with pytest.raises(CorpusError, match=r"x\.npz: vectors: .*an object array"):
        open_npz(file, {"vectors"}, tmp_path / "scratch")

    assert not Trap.sprung


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "expected a whole .npy", id="empty"),
        pytest.param(b"hello", "expected a whole .npy", id="no-npy"),
        pytest.param(pickle.dumps(3), "expected a whole .npy", id="pickle"),
        pytest.param("truncated", "expected a whole .npy", id="truncated"),
        pytest.param("archive", "expected a whole .npy", id="archive"),
    ],
)
def test_a_damaged_npy_is_named(
    tmp_path: Path, content: bytes | str | None, message: str
) -> None:
    file = tmp_path / "x.npy"
    if content == "truncated":
        np.save(file, np.eye(20))
        file.write_bytes(file.read_bytes()[:-9])
    elif content == "archive":
        with file.open("wb") as out:
            np.savez(out, a=np.eye(2))
    elif isinstance(content, bytes):
        file.write_bytes(content)

    with pytest.raises(CorpusError, match=message) as refused:
        open_npy(file)

    assert str(file) in str(refused.value)


def test_only_wanted_arrays_are_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.eye(2), b=np.ones(3), c=np.ones(1))
    scratch = tmp_path / "scratch"

    arrays = open_npz(tmp_path / "x.npz", {"a", "b", "z"}, scratch)

    assert sorted(arrays) == ["a", "b"]
    assert isinstance(arrays["a"], np.memmap)
    assert sorted(p.name for p in scratch.rglob("*.npy")) == ["a.npy", "b.npy"]


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "text"])
def test_a_damaged_npz_is_named(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "x.npz"
    if damage != "missing":
        np.savez(file, vectors=np.eye(40))
    content = bytearray(file.read_bytes()) if file.exists() else bytearray()
    if damage == "truncated":
        file.write_bytes(content[:3000])
    elif damage == "flipped":
        content[5000] ^= 1
        file.write_bytes(content)
    elif damage == "text":
        file.write_text("hello")

    with pytest.raises(CorpusError, match=r"x\.npz: expected a whole .npz"):
        open_npz(file, {"vectors"}, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("array", "names"),
    [
        pytest.param(np.array([3, 1]), ["3", "1"], id="numbers"),
        pytest.param(np.array(["a", "b"]), ["a", "b"], id="text"),
        pytest.param(np.array([b"a", "é".encode()]), ["a", "é"], id="bytes"),
    ],
)
def test_names_are_read(array: np.ndarray, names: list[str]) -> None:
    assert read_names(array, 2, "x") == names


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(np.array([1.5, 2.0]), "expected 2 whole numbers", id="float"),
        pytest.param(np.array([1]), r"got shape \(1,\)", id="too-few"),
        pytest.param(np.array([[1], [2]]), r"got shape \(2, 1\)", id="rank"),
        pytest.param(np.array([b"a", b"\xff"]), "bytes in UTF-8", id="latin-1"),
    ],
)
def test_names_that_are_none_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_names(array, 2, "x.npz: chain_ids")


@pytest.mark.parametrize("suffix", [".npy", ".txt", ".json"])
def test_lengths_are_read_from_three_kinds_of_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(file, np.array([2, 3], dtype=np.uint8))
    else:
        file.write_text("2\n3\n" if suffix == ".txt" else json.dumps([2, 3]))

    lengths = read_lengths(file, 5)

    assert lengths.tolist() == [2, 3]
    assert lengths.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("x.txt", "2\n2\n", "add up to 5 vectors, got 4", id="sum"),
        pytest.param("x.txt", "5\n0\n", "document 1 has 0 vectors", id="empty"),
        pytest.param("x.txt", "7\n-2\n", "document 1 has -2 vectors", id="negative"),
        pytest.param("x.txt", "2.5", "expected whole numbers", id="fraction"),
        pytest.param("x.txt", "", "expected whole numbers", id="nothing"),
        pytest.param("x.txt", "9" * 30, "expected whole numbers", id="huge"),
        pytest.param("x.json", "[2.5, 2.5]", "expected whole numbers", id="floats"),
        pytest.param("x.json", "[[5]]", r"got shape \(1, 1\)", id="nested"),
        pytest.param("x.json", "[[5], 5]", "expected whole numbers", id="ragged"),
        pytest.param("x.json", "[5", "expected whole numbers", id="broken"),
        pytest.param("x.csv", "5", "as .npy, .txt or .json", id="other-kind"),
        pytest.param("x.txt", None, "No such file", id="missing"),
    ],
)
def test_bad_lengths_are_named(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)

    with pytest.raises(CorpusError, match=message) as refused:
        read_lengths(file, 5)

    assert str(file) in str(refused.value)


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir(exist_ok=True)
