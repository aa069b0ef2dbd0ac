"""Arrays in files of strangers: memory-mapped, never unpickled, named when damaged."""

import shutil
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextvec.training.disk import require_space, told_when_full
from nextvec.training.errors import CorpusError
from nextvec.training.files import read_json
from nextvec.training.vectors import Int64

Array = NDArray[Any]

_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a compression that this Python lacks
    RuntimeError,  # an encrypted member
)


def open_npy(path: Path, *, source: str | None = None) -> Array:
    """Memory-map a .npy file.

    Args:
        path: the file.
        source: what to call it in messages; None takes the path.

    Returns:
        A read-only array that stays on disk until it is used.

    Raises:
        CorpusError: missing, truncated, not a .npy, or an object array (these would
            have to be unpickled, which can run code).
    """
    source = source or str(path)
    try:
        # not np.load, which takes whatever is no .npy for a pickle
        array: Array = np.lib.format.open_memmap(path, mode="r")
    except _DAMAGED as error:
        if "Python objects" in str(error):
            msg = f"{source}: expected numbers or text, found an object array"
        else:
            msg = f"{source}: expected a whole .npy array: {error}"
        raise CorpusError(msg) from error
    return array


def open_npz(path: Path, wanted: Collection[str], scratch: Path) -> dict[str, Array]:
    """Memory-map some arrays of a .npz file.

    An array inside an archive cannot be mapped, so each is unpacked first.

    Args:
        path: the file.
        wanted: names of arrays; others are left alone.
        scratch: folder for the unpacked arrays; it must outlive what is returned.

    Returns:
        Those of the wanted arrays that are there, by name.

    Raises:
        CorpusError: missing, truncated, not a .npz, or a wanted array is an object
            array.
    """
    arrays = {}
    folder = scratch / f"{len(list(scratch.iterdir())):03d}"
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(wanted):
                if f"{name}.npy" not in archive.namelist():
                    continue
                unpacked = folder / f"{name}.npy"
                size = archive.getinfo(unpacked.name).file_size
                require_space(folder, size, f"{name} of {path}, unpacked,")
                with (
                    told_when_full(unpacked, size),
                    archive.open(unpacked.name) as packed,
                    unpacked.open("wb") as out,
                ):
                    shutil.copyfileobj(packed, out)
                arrays[name] = open_npy(unpacked, source=f"{path}: {name}")
    except _DAMAGED as error:
        msg = f"{path}: expected a whole .npz archive: {error}"
        raise CorpusError(msg) from error
    return arrays


def read_names(array: Array, count: int, source: str) -> list[str]:
    """Read names or texts, one for each row.

    Args:
        array: whole numbers, text, or bytes in UTF-8.
        count: how many there must be.
        source: file and array, for messages.

    Raises:
        CorpusError: another rank, dtype or number of entries, or bytes not in UTF-8.
    """
    if array.shape != (count,) or array.dtype.kind not in "iuUS":
        msg = (
            f"{source}: expected {count} whole numbers or texts, "
            f"got shape {array.shape} of {array.dtype}"
        )
        raise CorpusError(msg)
    if array.dtype.kind == "S":
        try:
            return [name.decode() for name in array.tolist()]
        except UnicodeDecodeError as error:
            msg = f"{source}: expected bytes in UTF-8: {error}"
            raise CorpusError(msg) from error
    return [str(name) for name in array.tolist()]


def read_lengths(path: Path, count: int) -> Int64:
    """Read the file that says how many vectors each document has.

    Args:
        path: ``.npy`` of whole numbers, ``.txt`` with one a line, or ``.json`` with a
            list.
        count: what they must add up to.

    Raises:
        CorpusError: unreadable, of another kind, not whole numbers above zero, or of
            another sum.
    """
    lengths = _read_numbers(path)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths):
        msg = (
            f"{path}: expected whole numbers, one for each document, "
            f"got shape {lengths.shape} of {lengths.dtype}"
        )
        raise CorpusError(msg)
    if (lengths <= 0).any():
        row = int(np.argmax(lengths <= 0))
        msg = f"{path}: document {row} has {lengths[row]} vectors, expected at least 1"
        raise CorpusError(msg)
    total = sum(lengths.tolist())
    if total != count:
        msg = f"{path}: expected lengths that add up to {count} vectors, got {total}"
        raise CorpusError(msg)
    return lengths.astype(np.int64)


def _read_numbers(path: Path) -> Array:
    try:
        if path.suffix == ".npy":
            return open_npy(path)
        if path.suffix == ".txt":
            return np.array([int(word) for word in path.read_text("utf-8").split()])
        if path.suffix == ".json":
            return np.array(read_json(path))
    except (OSError, ValueError, OverflowError) as error:
        msg = f"{path}: expected whole numbers, one for each document: {error}"
        raise CorpusError(msg) from error
    msg = f"{path}: expected document lengths as .npy, .txt or .json"
    raise CorpusError(msg)
