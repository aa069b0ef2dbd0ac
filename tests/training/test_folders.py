import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextvec.training.errors import ProjectError
from nextvec.training.folders import new_folder, only_writer, remove_folder, sweep


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def crash(path: Path) -> None:
    """Fail while a folder is being written."""

    def write() -> None:
        with new_folder(path) as new:
            (new / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()


@contextmanager
def writing_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield another process that writes a folder until it is sent a line."""
    script = """
import sys
from pathlib import Path
from nextvec.training.folders import new_folder

with new_folder(Path(sys.argv[1])) as new:
    (new / "a").write_text("a")
    print("writing", flush=True)
    input()
"""
    with subprocess.Popen(  # noqa: S603 - this file's own script
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        yield other


def test_a_new_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"

    with new_folder(path) as new:
        (new / "inner").mkdir()
        (new / "inner" / "a").write_text("a")
        assert not path.exists()

    assert (path / "inner" / "a").read_text() == "a"
    assert names(path.parent) == [".folder.lock", "folder"]


def test_files_and_their_names_are_on_the_disk_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if not (tmp_path / "data").exists():
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            synced.append(str(path.relative_to(tmp_path / ".data.new.tmp")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    with new_folder(tmp_path / "data") as new:
        (new / "part").mkdir()
        (new / "part" / "a.txt").write_text("a")

    assert sorted(synced) == [".", "part", "part/a.txt"]


def test_an_error_leaves_nothing_of_a_new_folder(tmp_path: Path) -> None:
    crash(tmp_path / "folder")

    assert names(tmp_path) == [".folder.lock"]


def test_an_error_leaves_the_older_folder_as_it_was(tmp_path: Path) -> None:
    with new_folder(tmp_path / "folder") as new:
        (new / "old").write_text("old")

    crash(tmp_path / "folder")

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["old"]


def test_an_older_folder_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with new_folder(tmp_path / "folder") as new:
            (new / name).write_text(name)

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["new"]


def test_the_older_folder_comes_back_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_folder(tmp_path / "folder") as new:
        (new / "old").write_text("old")
    real = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".new.tmp"):
            raise OSError
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(OSError),  # noqa: PT011 - raised by this test
        new_folder(tmp_path / "folder") as new,
    ):
        (new / "new").write_text("new")

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["old"]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    stale = tmp_path / ".folder.new.tmp"
    stale.mkdir()
    (stale / "half").write_text("half")

    with new_folder(tmp_path / "folder") as new:
        (new / "a").write_text("a")

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["a"]


def test_what_a_killed_process_moved_aside_is_put_back(tmp_path: Path) -> None:
    old = tmp_path / ".folder.old.tmp"
    old.mkdir()
    (old / "old").write_text("old")

    crash(tmp_path / "folder")

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["old"]


def test_what_was_moved_aside_goes_where_the_new_folder_took_its_place(
    tmp_path: Path,
) -> None:
    for name in ("folder", ".folder.old.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)

    crash(tmp_path / "folder")

    assert names(tmp_path) == [".folder.lock", "folder"]
    assert names(tmp_path / "folder") == ["folder"]


def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder"

    with writing_elsewhere(path) as other:
        with (
            pytest.raises(ProjectError, match=r"folder: it is being written already"),
            new_folder(path),
        ):
            pass
        other.communicate("go on\n")

    assert other.returncode == 0
    assert names(path) == ["a"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "mine").symlink_to(tmp_path / "data" / "mine")

    for _ in range(2):
        with new_folder(tmp_path / "mine") as new:
            (new / "a").write_text("a")

    assert (tmp_path / "mine").is_symlink()
    assert names(tmp_path / "mine") == ["a"]
    assert names(tmp_path / "data") == [".mine.lock", "mine"]


def test_the_folder_of_the_process_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with (
        pytest.raises(ProjectError, match="than that of this command itself"),
        new_folder(Path()),
    ):
        pass


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with (
        pytest.raises(ProjectError, match=r"file: expected a folder, .* found a file"),
        new_folder(tmp_path / "file"),
    ):
        pass

    assert (tmp_path / "file").read_text() == "mine"


def test_a_writer_may_write_within_its_own_block(tmp_path: Path) -> None:
    with only_writer(tmp_path / "folder"), new_folder(tmp_path / "folder") as new:
        (new / "a").write_text("a")

    assert names(tmp_path / "folder") == ["a"]


def test_a_folder_whose_name_begins_alike_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / ".folder.v2.new.tmp"
    other.mkdir()

    with new_folder(tmp_path / "folder"):
        pass

    assert names(tmp_path) == [".folder.lock", other.name, "folder"]


def leave(folder: Path, name: str) -> Path:
    """Leave what a killed writer of a folder called x left there."""
    left = folder / name
    left.mkdir()
    (left / "half").write_text("half")
    (folder / ".x.lock").touch()
    return left


@pytest.mark.parametrize(
    "name", [".x.new.tmp", ".x.old.tmp", ".x.gone.tmp", ".x.rows.scratch"]
)
def test_what_killed_writers_of_neighbors_left_goes(tmp_path: Path, name: str) -> None:
    left = leave(tmp_path, name)
    (tmp_path / "x").mkdir()

    with new_folder(tmp_path / "folder"):
        pass

    assert not left.exists()
    assert names(tmp_path) == [".folder.lock", ".x.lock", "folder", "x"]


def test_a_neighbor_that_was_moved_aside_is_put_back(tmp_path: Path) -> None:
    leave(tmp_path, ".x.old.tmp")

    sweep(tmp_path)

    assert names(tmp_path / "x") == ["half"]


def test_a_neighbor_that_was_being_deleted_does_not_come_back(tmp_path: Path) -> None:
    leave(tmp_path, ".x.gone.tmp")

    sweep(tmp_path)

    assert names(tmp_path) == [".x.lock"]


def test_what_is_being_written_is_not_swept(tmp_path: Path) -> None:
    left = leave(tmp_path, ".x.rows.scratch")

    # by this very process, too: a corpus is written beside its own scratch folder
    with only_writer(tmp_path / "x"), new_folder(tmp_path / "folder"):
        assert left.exists()

    sweep(tmp_path)
    assert not left.exists()


def test_what_is_not_ours_is_not_swept(tmp_path: Path) -> None:
    for name in (".y.new.tmp", ".cache", ".tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / ".x.new.tmp").write_text("a file")
    (tmp_path / ".x.lock").touch()

    sweep(tmp_path)

    assert len(names(tmp_path)) == 5


def test_a_folder_is_deleted_at_once_for_its_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("a")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: os.kill)

    remove_folder(tmp_path / "x")

    assert names(tmp_path) == [".x.gone.tmp", ".x.lock"]
    monkeypatch.undo()
    sweep(tmp_path)
    assert names(tmp_path) == [".x.lock"]


def test_a_writer_can_be_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "folder"

    with writing_elsewhere(path) as other:
        assert other.stdin is not None
        other.stdin.write("go on\n")
        other.stdin.flush()
        with only_writer(path, wait_s=60):
            found = names(path)

    # in its place before the lock was let go
    assert found == ["a"]
