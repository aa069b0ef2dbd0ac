"""Arrays of a bundle that are mapped into memory: read when needed, and shared.

Of a file that several processes map there is one copy in memory.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextvec.training.errors import BundleError


def mapped(
    path: Path,
    what: str,
    dtype: DTypeLike,
    shape: tuple[int | None, ...],
    *,
    mode: Literal["r", "c"] = "r",
) -> NDArray[Any]:
    """Map an array.

    Args:
        path: of a file of NumPy.
        what: what it holds, for messages: "vectors".
        dtype: of its numbers.
        shape: that it has to have; None stands for any length.
        mode: r for one that is not written to; c for torch, which takes no array
            that says it must not be written: what is written stays in this process.

    Raises:
        BundleError: missing, damaged, or of another type or shape.
    """
    try:
        found = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path}: the {what} are damaged: {error}"
        raise BundleError(msg) from error
    if found.dtype != dtype or not _fits(found.shape, shape):
        told = ", ".join("any" if length is None else str(length) for length in shape)
        msg = (
            f"{path}: expected {what} of {np.dtype(dtype)} ({told}), got {found.dtype} "
            f"{found.shape}"
        )
        raise BundleError(msg)
    # the plain type: indexing np.memmap makes its Python class anew for every result
    plain: NDArray[Any] = found.view(np.ndarray)
    return plain


def _fits(found: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(found) == len(shape) and all(
        wanted in {None, length} for length, wanted in zip(found, shape, strict=True)
    )
