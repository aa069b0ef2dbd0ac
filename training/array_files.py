"""Files of large arrays: their room on the disk is taken before they are written."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from nextvec.training.disk import require_space, reserve, told_when_full

_HEADER_BYTES: Final = 4096
# More than the header of an .npy file takes.


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an ``.npy`` file into a folder that appears when it is whole.

    Not for a folder that others read: a crash leaves half of it.

    Raises:
        ProjectError: the disk has no room for it.
    """
    path.touch()
    reserve(path, array.nbytes + _HEADER_BYTES)
    with told_when_full(path, array.nbytes), path.open("r+b") as file:
        # numpy's own writing does not say why it stopped
        np.save(file, array, allow_pickle=False)
        file.truncate()


def new_array(
    path: Path, dtype: DTypeLike, shape: tuple[int, ...]
) -> "np.memmap[Any, np.dtype[Any]]":
    """Map a new ``.npy`` file of zeros into memory, its room taken.

    Raises:
        ProjectError: the disk has no room for it.
    """
    num_bytes = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    require_space(path.parent, num_bytes, path.name)
    with told_when_full(path, num_bytes):
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    # until now it is one hole, and a page that finds no room would end the process
    reserve(path, path.stat().st_size)
    return array
