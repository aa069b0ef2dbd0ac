import os
from pathlib import Path

import pytest

from training.files import new_folder, read_json, write_bytes, write_json


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


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    told = {"a": [1, 2.5, None], "ü": "text", "b": True}

    write_json(tmp_path / "a.json", told)

    assert read_json(tmp_path / "a.json") == told


def test_a_new_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"

    with new_folder(path) as new:
        (new / "inner").mkdir()
        (new / "inner" / "a").write_text("a")
        assert not path.exists()

    assert (path / "inner" / "a").read_text() == "a"
    assert names(path.parent) == ["folder"]


def test_an_error_leaves_nothing_of_a_new_folder(tmp_path: Path) -> None:
    def crash() -> None:
        with new_folder(tmp_path / "folder") as new:
            (new / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()

    assert names(tmp_path) == []


def test_an_error_leaves_the_older_folder_as_it_was(tmp_path: Path) -> None:
    with new_folder(tmp_path / "folder") as new:
        (new / "old").write_text("old")

    def crash() -> None:
        with new_folder(tmp_path / "folder") as new:
            (new / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()

    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["old"]


def test_an_older_folder_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with new_folder(tmp_path / "folder") as new:
            (new / name).write_text(name)

    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["new"]


def test_the_older_folder_comes_back_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_folder(tmp_path / "folder") as new:
        (new / "old").write_text("old")
    real = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(f"{os.getpid()}.tmp"):
            raise OSError
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(OSError),  # noqa: PT011 - raised by this test
        new_folder(tmp_path / "folder") as new,
    ):
        (new / "new").write_text("new")

    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["old"]


_DEAD = 99_999_999
# no system numbers its processes that high


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    stale = tmp_path / f".folder.{_DEAD}.tmp"
    stale.mkdir()
    (stale / "half").write_text("half")

    with new_folder(tmp_path / "folder") as new:
        (new / "a").write_text("a")

    assert names(tmp_path) == ["folder"]


def test_what_a_killed_process_moved_aside_is_put_back(tmp_path: Path) -> None:
    old = tmp_path / f".folder.{_DEAD}.old.tmp"
    old.mkdir()
    (old / "old").write_text("old")

    def crash() -> None:
        with new_folder(tmp_path / "folder"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()

    assert names(tmp_path / "folder") == ["old"]


@pytest.mark.parametrize("answer", [None, PermissionError])
def test_what_a_running_process_writes_is_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: type[OSError] | None,
) -> None:
    (tmp_path / ".folder.4711.tmp").mkdir()

    def kill(pid: int, signal: int) -> None:
        assert (pid, signal) == (4711, 0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    with new_folder(tmp_path / "folder"):
        pass

    assert names(tmp_path) == [".folder.4711.tmp", "folder"]


def test_a_folder_whose_name_begins_alike_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / f".folder.v2.{_DEAD}.tmp"
    other.mkdir()

    with new_folder(tmp_path / "folder"):
        pass

    assert names(tmp_path) == [other.name, "folder"]
