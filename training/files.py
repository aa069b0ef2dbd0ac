"""Files that are whole or not there at all, even after a crash."""

import io
import os
import re
import secrets
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from nextvec.training.disk import told_when_full
from nextvec.training.errors import ProjectError

_LEFT_FILE: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
# A file that is being written, or was when its writer was killed.


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write ``data`` to ``path`` so that a reader sees all of it or none.

    Written to a temporary name in the same folder, synced, renamed.

    Args:
        path: the file.
        data: all that it is to hold.
        mode: its permissions from the first byte on, less those that the process takes
            away (umask).

    Raises:
        ProjectError: the disk has no room for it; nothing is left of it.
    """
    # in containers on one volume every process can have the same number
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with told_when_full(path, len(data)), os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        # gone, unless something failed
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


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


def sweep_files(folder: Path) -> None:
    """Clear away what killed processes left of files that they wrote (`write_bytes`).

    The caller is the only one that writes in the folder now.
    """
    for left in folder.glob(".*.tmp"):
        if _LEFT_FILE.fullmatch(left.name) and left.is_file():
            left.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
