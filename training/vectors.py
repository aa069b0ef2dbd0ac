"""What a usable vector is, and what "normalized" means: decided here only.

Shape letters, used as suffixes of arrays and tensors everywhere:

    B  contexts in a batch          N  rows of a catalogue or of candidates
    T  positions in a context       M  entries of all sequences together
    D  length of a vector           S  sequences (documents, sessions)
    Q  queries (windows)            K  results of a query
    H  features inside a network    P  predicted positions in a batch
    L  lags back from the newest    R  slots of a memory
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextvec.training.context_length import CONTEXT_LENGTH
from nextvec.training.errors import VectorError

__all__ = [
    "CONTEXT_LENGTH",
    "DUPLICATE_COSINE",
    "Float32",
    "Int64",
    "check_vectors",
    "l2_normalize",
]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

DUPLICATE_COSINE: Final = 0.999
"""Two rows above this cosine are one thing (evaluation protocol, rule 1)."""

_MIN_NORM: Final = 1e-12
# Below this a float32 row has no direction left: 1 / norm overflows into noise.


def check_vectors(
    vectors: object, *, source: str, dim: int | None = None, first_row: int = 0
) -> NDArray[np.floating]:
    """Return ``vectors`` unchanged if every row is a usable vector.

    Args:
        vectors: what should be an array of shape ``(n, D)`` and of a float dtype.
        source: name of the file or field, for the message.
        dim: the D to insist on; None takes any.
        first_row: number of the first row in ``source``, when this is a block of it.

    Returns:
        The same array, not copied.

    Raises:
        VectorError: not an array, not 2-D, not float, of another D, or a row that
            holds NaN or infinity or has no length, or one too great to square. Names
            source, row, expectation.

    Example:
        >>> check_vectors(np.ones((2, 3)), source="example").shape
        (2, 3)
    """
    if not isinstance(vectors, np.ndarray):
        msg = f"{source}: expected an array of vectors, got {type(vectors).__name__}"
        raise VectorError(msg)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        msg = f"{source}: expected shape (n, D), got {vectors.shape}"
        raise VectorError(msg)
    # wider than float64 (longdouble) NumPy has no sums for
    if vectors.dtype.kind != "f" or vectors.dtype.itemsize > 8:
        msg = f"{source}: expected a float dtype, got {vectors.dtype}"
        raise VectorError(msg)
    if dim is not None and vectors.shape[1] != dim:
        msg = f"{source}: expected vectors of length {dim}, got {vectors.shape[1]}"
        raise VectorError(msg)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = first_row + int(np.argmin(finite))
        msg = f"{source}: row {row} holds NaN or infinity, expected finite numbers"
        raise VectorError(msg)
    # float64: the square of a finite float32 can be infinite in float32
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    bounded = np.isfinite(squares)
    if not bounded.all():
        row = first_row + int(np.argmin(bounded))
        msg = f"{source}: row {row} is too long to normalize, expected less than 1e154"
        raise VectorError(msg)
    usable = squares > _MIN_NORM**2
    if not usable.all():
        row = first_row + int(np.argmin(usable))
        msg = f"{source}: row {row} is a zero vector, expected a direction"
        raise VectorError(msg)
    return vectors


def l2_normalize(vectors: NDArray[np.floating]) -> Float32:
    """Scale every row to length 1.

    Args:
        vectors: shape ``(n, D)``, any float dtype, no zero rows (`check_vectors`);
            left unchanged.

    Returns:
        A new float32 array of the same shape.

    Example:
        >>> l2_normalize(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]], dtype=float32)
    """
    wide = vectors.astype(np.float64)
    # in place: of 100 x 768 the memory of another array costs as much as all else
    wide /= np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
    unit: Float32 = wide.astype(np.float32)
    return unit
