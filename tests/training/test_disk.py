"""Full disks, played by a limit on what this process may write, and by fakes."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from nextvec.training import disk
from nextvec.training.array_files import new_array, save_array
from nextvec.training.disk import require_space, reserve, told_when_full
from nextvec.training.errors import ProjectError
from nextvec.training.files import write_bytes
from nextvec.training.folders import new_folder


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes are free."""

    def say(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, free))

    return say


@contextmanager
def files_up_to(num_bytes: int) -> Iterator[None]:
    """Let this process write no larger file: what it says to that is as of a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_space_is_asked_for_where_nothing_is_yet(
    tmp_path: Path, only: Callable[[int], None]
) -> None:
    only(999_999)

    require_space(tmp_path / "a" / "b", 999_999, "the corpus")
    with pytest.raises(
        ProjectError,
        match=r"b: the disk is full: the corpus wants 1\.0 MB, 1\.0 MB are free; make",
    ):
        require_space(tmp_path / "a" / "b", 1_000_000, "the corpus")


def test_a_mapped_file_has_its_room_before_it_is_written_to(tmp_path: Path) -> None:
    array = new_array(tmp_path / "a.npy", np.float32, (1000, 64))

    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes
    array[-1] = 1
    array.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            lambda path: new_array(path, np.float32, (1000, 64)), id="new_array"
        ),
        pytest.param(
            lambda path: save_array(path, np.ones((1000, 64), np.float32)),
            id="save_array",
        ),
        pytest.param(lambda path: write_bytes(path, bytes(256_000)), id="write_bytes"),
    ],
)
def test_a_file_that_finds_no_room_is_told_and_not_left(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    with (
        pytest.raises(
            ProjectError,
            match=r"full: a\.npy wants 0\.3 MB, [\d,.]+ MB are free; .*File too large",
        ),
        files_up_to(100_000),
        new_folder(tmp_path / "folder") as new,
    ):
        write(new / "a.npy")

    assert [path.name for path in tmp_path.iterdir()] == [".folder.lock"]


def test_a_file_whose_room_is_not_free_is_refused_before_it_is_made(
    tmp_path: Path, only: Callable[[int], None]
) -> None:
    only(1000)

    with pytest.raises(ProjectError, match=r"a\.npy wants 0\.3 MB, 0\.0 MB are free"):
        new_array(tmp_path / "a.npy", np.float32, (1000, 64))

    assert list(tmp_path.iterdir()) == []


def test_a_written_array_comes_back_as_it_was(tmp_path: Path) -> None:
    array = np.arange(30, dtype=np.int64).reshape(5, 6).T

    save_array(tmp_path / "a.npy", array)

    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    plain = tmp_path / "b.npy"
    np.save(plain, array)
    assert (tmp_path / "a.npy").read_bytes() == plain.read_bytes()


def refuse(number: int) -> Callable[..., None]:
    def allocate(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    return allocate


@pytest.mark.parametrize(
    "allocate", [None, refuse(errno.EOPNOTSUPP)], ids=["macOS", "file system"]
)
def test_where_no_room_can_be_taken_it_is_only_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    only: Callable[[int], None],
    allocate: Callable[..., None] | None,
) -> None:
    monkeypatch.setattr(disk, "_allocate", allocate)
    path = tmp_path / "a"
    path.touch()

    reserve(path, 100)

    only(10)
    with pytest.raises(ProjectError, match="the disk is full"):
        reserve(path, 100)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_after_all_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(disk, "_allocate", refuse(number))
    (tmp_path / "a").touch()

    with pytest.raises(ProjectError, match=rf"a wants 0\.0 MB.*{os.strerror(number)}"):
        reserve(tmp_path / "a", 100)


def test_another_error_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), told_when_full(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_what_was_wanted_need_not_be_known(tmp_path: Path) -> None:
    with (
        pytest.raises(ProjectError, match="a wants more room than there is"),
        told_when_full(tmp_path / "a"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_process_that_maps_more_than_it_may_write_is_not_ended_by_a_signal(
    tmp_path: Path,
) -> None:
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from nextvec.training.array_files import new_array
from nextvec.training.errors import ProjectError

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    new_array(Path(sys.argv[1]), np.float32, (100_000, 64))[:] = 1
except ProjectError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(  # noqa: S603 - this file's own script
        [sys.executable, "-c", script, str(tmp_path / "a.npy")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "the disk is full: a.npy wants 25.6 MB" in done.stderr
