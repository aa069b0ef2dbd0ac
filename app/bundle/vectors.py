"""The vectors of a catalogue: one file, memory-mapped, shared by all who read it.

Beside the D numbers of its vector a row holds its hubness, negative, and zeros up to a
multiple of 64 bytes. The inner product with ``(prediction, beta, 0, ...)`` is then the
score, cosine less beta times hubness, in one pass; and every row is aligned, which the
search is a tenth faster for.
"""

from pathlib import Path
from typing import Final

import numpy as np

from nextvec.app.bundle.mapped import mapped
from nextvec.training.array_files import save_array
from nextvec.training.vectors import Float32

VECTORS: Final = "vectors.npy"
"""All rows, float32, shape ``(N, C)``, C the next multiple of 16 above D."""

_ALIGNED: Final = 16
# Numbers in 64 bytes, a line of the cache.


def num_columns(dim: int) -> int:
    """Return how many numbers a row of vectors of length ``dim`` has.

    Example:
        >>> num_columns(256), num_columns(15)
        (272, 16)
    """
    return (dim // _ALIGNED + 1) * _ALIGNED


def as_rows(vectors_ND: Float32, hubness_N: Float32) -> Float32:
    """Put unit vectors and their hubness together; shape ``(N, C)``."""
    num_rows, dim = vectors_ND.shape
    row_NC = np.zeros((num_rows, num_columns(dim)), np.float32)
    row_NC[:, :dim] = vectors_ND
    row_NC[:, dim] = -hubness_N
    return row_NC


def as_queries(query_QD: Float32, beta: float) -> Float32:
    """Return what the rows are multiplied with; shape ``(Q, C)``."""
    num_queries, dim = query_QD.shape
    query_QC = np.zeros((num_queries, num_columns(dim)), np.float32)
    query_QC[:, :dim] = query_QD
    query_QC[:, dim] = beta
    return query_QC


def save_rows(folder: Path, row_NC: Float32) -> None:
    """Write the rows of a bundle."""
    save_array(folder / VECTORS, row_NC)


def load_rows(folder: Path, dim: int) -> Float32:
    """Map the rows of a bundle into memory; they are read when they are needed.

    Args:
        folder: of the bundle.
        dim: length D of a vector.

    Returns:
        Shape ``(N, C)``, aligned to 64 bytes. What is written to it stays in this
        process.

    Raises:
        BundleError: missing, damaged, or not such rows.
    """
    shape = (None, num_columns(dim))
    return mapped(folder / VECTORS, "vectors", np.float32, shape, mode="c")
