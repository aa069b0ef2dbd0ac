"""Room on a disk: asked for before it is used, and told in one sentence.

A file that is mapped into memory and has no room is the worst case: the process that
writes to it is ended by SIGBUS, without a word.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nextvec.training.errors import ProjectError

_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# The disk, a quota, the largest file that the process may write.

_NO_SUCH_CALL: Final = frozenset((errno.EOPNOTSUPP, errno.EINVAL))
# What some file systems say to posix_fallocate, without its having done anything.

_allocate: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
# macOS has none: there only what was free at the start is known.


def require_space(folder: Path, num_bytes: int, what: str) -> None:
    """Refuse to begin what the disk has no room for now.

    Args:
        folder: where it is to be written; it need not exist.
        num_bytes: how much that will be.
        what: that is to be written, for the message: "the corpus".

    Raises:
        ProjectError: less is free.
    """
    free = _free_bytes(folder)
    if num_bytes > free:
        raise ProjectError(_sentence(folder, what, num_bytes, free))


def reserve(path: Path, num_bytes: int) -> None:
    """Take the room that a file will need, so that writing to it cannot run out of it.

    Args:
        path: a file; it is made longer where it is shorter.
        num_bytes: how long it will be.

    Raises:
        ProjectError: the disk, a quota or a limit of the process has not that much.
    """
    require_space(path.parent, num_bytes - _allocated_bytes(path), path.name)
    if _allocate is None:
        return
    with told_when_full(path, num_bytes), path.open("r+b") as file:
        try:
            _allocate(file.fileno(), 0, num_bytes)
        except OSError as error:
            if error.errno not in _NO_SUCH_CALL:
                raise


@contextmanager
def told_when_full(path: Path, num_bytes: int | None = None) -> Iterator[None]:
    """Say what was wanted and what is free where a write finds no room.

    Args:
        path: what is written.
        num_bytes: how much that is; None if nobody knows.

    Raises:
        ProjectError: instead of an `OSError` that says so.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = _free_bytes(path.parent)
        sentence = _sentence(path.parent, path.name, num_bytes, free)
        msg = f"{sentence} ({error.strerror})"
        raise ProjectError(msg) from error


def _sentence(folder: Path, what: str, num_bytes: int | None, free: int) -> str:
    wanted = "more room than there is" if num_bytes is None else _size(num_bytes)
    return (
        f"{folder}: the disk is full: {what} wants {wanted}, {_size(free)} are free; "
        "make room, or choose a folder on another disk"
    )


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def _allocated_bytes(path: Path) -> int:
    """Return what a file has taken of the disk already; a sparse one has holes."""
    # in units of 512 bytes on every system (POSIX, stat.h)
    return path.stat().st_blocks * 512


def _free_bytes(folder: Path) -> int:
    """Return what is free where a folder is, or will be."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free
