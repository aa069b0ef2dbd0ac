import os
from pathlib import Path

import pytest

from nextvec.training.files import read_json, sweep_files, write_bytes, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_nothing_beside_it(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"first")

    write_bytes(tmp_path / "a.bin", b"second")

    assert (tmp_path / "a.bin").read_bytes() == b"second"
    assert names(tmp_path) == ["a.bin"]


def test_a_reader_never_sees_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    seen = []

    def sync(_: int) -> None:
        seen.append(path.read_bytes())
        raise OSError

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError):  # noqa: PT011 - raised by this test
        write_bytes(path, b"new")

    assert seen == [b"old"]
    assert path.read_bytes() == b"old"


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):  # noqa: PT011 - raised by this test
        write_bytes(tmp_path / "a.bin", b"new")

    assert names(tmp_path) == []


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    told = {"a": [1, 2.5, None], "ü": "text", "b": True}

    write_json(tmp_path / "a.json", told)

    assert read_json(tmp_path / "a.json") == told


def test_what_killed_writers_left_of_files_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".a.bin.0123abcd.tmp").write_bytes(b"half")
    for name in ("a.bin", ".lock", ".other.tmp", ".a.bin.0123abcg.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".b.0123abcd.tmp").mkdir()

    sweep_files(tmp_path)

    assert names(tmp_path) == sorted(
        ["a.bin", ".lock", ".other.tmp", ".a.bin.0123abcg.tmp", ".b.0123abcd.tmp"]
    )
