"""Folders that are whole or not there at all, even after a crash."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from nextvec.training.disk import told_when_full
from nextvec.training.errors import ProjectError
from nextvec.training.files import sync, sync_folder

_LEFT: Final = re.compile(r"\.(.+)\.(?:(?:new|old|gone)\.tmp|[a-z]+\.scratch)")
# Folders that are being written, or were when their writer was killed.


@contextmanager
def only_writer(path: Path, *, wait_s: float = 0) -> Iterator[None]:
    """Keep all others from writing ``path`` while the block runs.

    The lock is held on an empty file beside it, ``.NAME.lock``, which stays: the
    kernel lets go of it when a process dies, and it holds between containers that
    share a volume, where process numbers tell nothing. Within such a block another one
    of the same thread for the same path is let in.

    Args:
        path: file or folder.
        wait_s: how long to wait for another writer.

    Raises:
        ProjectError: it is being written already, or is the folder that this process
            works in, which cannot be replaced under its feet.
    """
    path = path.resolve()
    if path == Path.cwd():
        msg = f"{path}: expected another folder than that of this command itself"
        raise ProjectError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock_of(path), is_singleton=True)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        msg = f"{path}: it is being written already; try again when that is done"
        raise ProjectError(msg) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` only if the block succeeds.

    An older folder of that name is replaced, or stays as it was if the block or the
    last step fails. On an error nothing else is left behind but the lock, and folders
    above it that were missing. A link is followed. What killed writers of its
    neighbors left goes first (`sweep`).

    Raises:
        ProjectError: it is no folder, `only_writer` refuses it, or the disk is full.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        msg = f"{path}: expected a folder, or nothing, found a file"
        raise ProjectError(msg)
    new = path.with_name(f".{path.name}.new.tmp")
    old = path.with_name(f".{path.name}.old.tmp")
    with only_writer(path), told_when_full(path):
        sweep(path.parent)
        _recover(path, new, old)
        new.mkdir()
        try:
            yield new
            for written in (new, *new.rglob("*")):
                if written.is_dir():
                    sync_folder(written)
                elif written.is_file():
                    sync(written)
            _put_in_place(path, new, old)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Clear away what killed writers left among the folders in a folder.

    What is being written stays, whoever writes it: its lock is held. So does what has
    no lock beside it, and is not ours.
    """
    for left in folder.glob(".*"):
        found = _LEFT.fullmatch(left.name)
        if found is None or not left.is_dir():
            continue
        path = folder / found[1]
        if _lock_of(path).exists():
            _clear(path, left)


def _clear(path: Path, left: Path) -> None:
    """Clear away what is left of the writing of ``path``, unless it goes on."""
    # not the lock that this process may hold already: what it writes itself stays, too
    lock = FileLock(_lock_of(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    try:
        if left.name.endswith(".old.tmp") and not path.exists():
            left.replace(path)
        else:
            shutil.rmtree(left, ignore_errors=True)
    finally:
        lock.release()


def remove_folder(path: Path) -> None:
    """Delete a folder so that no reader sees a part of it.

    Raises:
        ProjectError: `only_writer` refuses it.
    """
    with only_writer(path):
        # a name that no reader takes for anything, should this be interrupted
        doomed = path.with_name(f".{path.name}.gone.tmp")
        shutil.rmtree(doomed, ignore_errors=True)
        path.replace(doomed)
        shutil.rmtree(doomed)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _recover(path: Path, new: Path, old: Path) -> None:
    """Clear away what a crash of an earlier writer left; put back what it moved."""
    if old.exists() and not path.exists():
        old.replace(path)
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)


def _put_in_place(path: Path, new: Path, old: Path) -> None:
    if not path.exists():
        new.replace(path)
        return
    # rename cannot replace a folder that holds files: the old one steps aside
    path.replace(old)
    try:
        new.replace(path)
    except OSError:
        old.replace(path)
        raise
    shutil.rmtree(old)
