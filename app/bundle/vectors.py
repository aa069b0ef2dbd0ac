"""The vectors of a catalogue: one file, memory-mapped, shared by all who read it."""

from pathlib import Path
from typing import Final

import numpy as np

from training.errors import BundleError
from training.vectors import Float32

VECTORS: Final = "vectors.npy"
"""All vectors in the searched space, float32, shape ``(N, D)``."""


def save_vectors(folder: Path, vectors_ND: Float32) -> None:
    """Write the vectors of a bundle."""
    np.save(folder / VECTORS, np.ascontiguousarray(vectors_ND, dtype=np.float32))


def load_vectors(folder: Path) -> Float32:
    """Map the vectors of a bundle into memory; they are read when they are needed.

    Returns:
        Shape ``(N, D)``, aligned to 64 bytes. What is written to it stays in this
        process: torch takes no array that says it must not be written.

    Raises:
        BundleError: missing, damaged, or not rows of float32.
    """
    path = folder / VECTORS
    try:
        mapped = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path}: the vectors are damaged: {error}"
        raise BundleError(msg) from error
    if mapped.ndim != 2 or mapped.dtype != np.float32 or not mapped.flags.c_contiguous:
        msg = f"{path}: expected rows of float32, got {mapped.dtype} {mapped.shape}"
        raise BundleError(msg)
    # the plain type: indexing np.memmap makes its Python class anew for every result
    vectors_ND: Float32 = mapped.view(np.ndarray)
    return vectors_ND
