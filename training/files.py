"""Files that are whole or not there at all, even after a crash."""

import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from filelock import FileLock, Timeout

from nextvec.training.errors import ProjectError


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write ``data`` to ``path`` so that a reader sees all of it or none.

    Written to a temporary name in the same folder, synced, renamed.

    Args:
        path: the file.
        data: all that it is to hold.
        mode: its permissions from the first byte on, less those that the process takes
            away (umask).
    """
    # in containers on one volume every process can have the same number
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        # gone, unless something failed
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def array_bytes(array: np.ndarray) -> bytes:
    """Return what an ``.npy`` file of the array holds."""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    return data.getvalue()


def write_json(path: Path, data: Any, *, indent: bool = True) -> None:  # noqa: ANN401 - anything orjson takes
    """Write ``data`` as JSON, whole or not at all.

    Args:
        path: the file.
        data: anything orjson takes, and arrays.
        indent: for people; False writes one line, for results kept under version
            control, whose lines nobody reads.
    """
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    if indent:
        options |= orjson.OPT_INDENT_2
    write_bytes(path, orjson.dumps(data, option=options))


def read_json(path: Path) -> Any:  # noqa: ANN401 - the caller knows the form
    """Read a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON.
    """
    return orjson.loads(path.read_bytes())


def read_versioned(
    path: Path, *, what: str, version: int, error: type[ProjectError]
) -> dict[str, Any]:
    """Read a JSON file that describes the folder it lies in.

    Args:
        path: the file.
        what: what the folder should hold, for messages: "corpus".
        version: the only ``format`` that is understood.
        error: raised, naming what was expected and found, if the file is missing,
            not JSON, or of another format.
    """
    try:
        card = read_json(path)
    except OSError as cause:
        msg = f"{path.parent}: no {what} here (expected {path.name} in that folder)"
        raise error(msg) from cause
    except ValueError as cause:
        msg = f"{path}: not JSON: {cause}"
        raise error(msg) from cause
    found = card.get("format") if isinstance(card, dict) else None
    if found != version:
        msg = f"{path}: expected {what} format {version}, got {found!r}"
        raise error(msg)
    return dict(card)


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Keep all others from writing ``path`` while the block runs.

    The lock is held on an empty file beside it, ``.NAME.lock``, which stays: the
    kernel lets go of it when a process dies, and it holds between containers that
    share a volume, where process numbers tell nothing. Within such a block another one
    of the same thread for the same path is let in.

    Raises:
        ProjectError: it is being written already, or is the folder that this process
            works in, which cannot be replaced under its feet.
    """
    path = path.resolve()
    if path == Path.cwd():
        msg = f"{path}: expected another folder than that of this command itself"
        raise ProjectError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), is_singleton=True)
    try:
        lock.acquire(timeout=0)
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
    above it that were missing. A link is followed.

    Raises:
        ProjectError: it is no folder, or `only_writer` refuses it.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        msg = f"{path}: expected a folder, or nothing, found a file"
        raise ProjectError(msg)
    new = path.with_name(f".{path.name}.new.tmp")
    old = path.with_name(f".{path.name}.old.tmp")
    with only_writer(path):
        _recover(path, new, old)
        new.mkdir()
        try:
            yield new
            for file in new.rglob("*"):
                if file.is_file():
                    _sync(file)
            _put_in_place(path, new, old)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(new, ignore_errors=True)


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


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
