import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.bundle.names import Names, Strings, name_files, string_files
from nextvec.training.errors import BundleError

some_names = st.lists(st.text(st.characters(codec="utf-8")), unique=True)


@given(some_names, st.text(st.characters(codec="utf-8")))
def test_names_are_found_as_in_a_dictionary(names: list[str], other: str) -> None:
    judge = {name: row for row, name in enumerate(names)}

    found = Names.of(names)

    assert list(found) == names
    assert [found.row_of(name) for name in names] == list(range(len(names)))
    assert found.row_of(other) == judge.get(other)


@given(some_names, st.text(st.characters(codec="utf-8"), min_size=1))
def test_the_nearest_name_shares_the_longest_beginning(
    names: list[str], other: str
) -> None:
    def shared(name: str) -> int:
        length = min(len(name), len(other))
        return max(n for n in range(length + 1) if name[:n] == other[:n])

    nearest = Names.of(names).nearest(other)

    longest = max(map(shared, names), default=0)
    assert (0 if nearest is None else shared(nearest)) == longest
    assert nearest is None or nearest in names


def test_names_with_one_checksum_are_told_apart() -> None:
    # what CRC-32 does not tell apart: found by trying
    names = ["plumless", "buckeroo", "other"]
    assert zlib.crc32(names[0].encode()) == zlib.crc32(names[1].encode())

    found = Names.of(names)

    assert [found.row_of(name) for name in names] == [0, 1, 2]
    assert Names.of(names[1:]).row_of(names[0]) is None


def test_strings_are_a_sequence() -> None:
    strings = Strings.of(["a", "", "ü", "a"])

    assert (len(strings), strings[2], strings[-4]) == (4, "ü", "a")
    assert strings[1:] == ["", "ü", "a"]
    assert "ü" in strings
    with pytest.raises(IndexError):
        strings[4]


@pytest.mark.parametrize("names", [[], [""], ["one", "", "three ✓"]])
def test_they_are_mapped_as_they_were_saved(tmp_path: Path, names: list[str]) -> None:
    Names.of(names).save(tmp_path, "ids")
    Strings.of(names).save(tmp_path, "texts")

    found = Names.load(tmp_path, "ids")

    assert list(found) == list(Strings.load(tmp_path, "texts")) == names
    assert [found.row_of(name) for name in names] == list(range(len(names)))
    assert found.row_of("two") is None
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {*name_files("ids"), *string_files("texts")}


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        pytest.param("ids.npy", np.zeros(2, np.uint8), "ends up to 2", id="cut"),
        pytest.param("ids.npy", np.zeros(6, np.int8), "names of uint8", id="type"),
        pytest.param(
            "ids_ends.npy", np.array([3, 2, 6]), "ends up to 6", id="backwards"
        ),
        pytest.param(
            "ids_ends.npy", np.array([1, 2, 3, 6]), r"int64 \(16\)", id="places"
        ),
        pytest.param("ids_table.npy", np.zeros(8, int), "rows of 3 names", id="full"),
        pytest.param(
            "ids_table.npy",
            np.array([0, 1, 3, -1, -1, -1, -1, -1]),
            "rows of 3 names",
            id="no row",
        ),
        pytest.param(
            "ids_order.npy", np.array([0, 1, -1]), "rows of 3 names", id="order"
        ),
    ],
)
def test_damaged_names_are_refused(
    tmp_path: Path, name: str, array: np.ndarray, words: str
) -> None:
    Names.of(["a", "bb", "ccc"]).save(tmp_path, "ids")
    np.save(tmp_path / name, array)

    with pytest.raises(BundleError, match=words):
        Names.load(tmp_path, "ids")
