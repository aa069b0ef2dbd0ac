"""The space that is searched: the caller's vectors centred or whitened.

Fitted on training documents only, stored with the weights, applied to context and
index alike. Whitening of frozen text vectors: WhitenRec, https://arxiv.org/abs/2402.10602.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.transform_config import TransformConfig
from nextvec.training.vectors import Float32, l2_normalize

_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """``unit((x - mean) @ matrix)`` and its way back."""

    mean: Float32
    """Taken off first; shape ``(D,)``."""

    matrix: Float32
    """Symmetric, applied second; shape ``(D, D)``."""

    inverse: Float32
    """Inverse of ``matrix``; shape ``(D, D)``."""

    scale: float
    """Mean length of ``(x - mean) @ matrix`` over the training rows: what the way
    back gives a unit vector for length, since its own is lost."""

    @classmethod
    def identity(cls, dim: int) -> Self:
        """Return the transform that changes nothing."""
        eye = np.eye(dim, dtype=np.float32)
        zero = np.zeros(dim, dtype=np.float32)
        return cls(mean=zero, matrix=eye, inverse=eye, scale=1.0)

    @classmethod
    def fit(cls, vectors: Float32, config: TransformConfig) -> Self:
        """Fit on unit rows of training documents, shape ``(n, D)``."""
        dim = vectors.shape[1]
        if config.kind == "identity":
            return cls.identity(dim)
        mean = vectors.mean(axis=0, dtype=np.float64)
        if config.kind == "center":
            matrix = inverse = np.eye(dim)
        else:
            matrix, inverse = _whitening(vectors, mean, config)
        lengths = [
            np.linalg.norm((block - mean) @ matrix, axis=1)
            for block in _blocks(vectors)
        ]
        return cls(
            mean=mean.astype(np.float32),
            matrix=matrix.astype(np.float32),
            inverse=inverse.astype(np.float32),
            scale=float(np.concatenate(lengths).mean()),
        )

    @property
    def is_identity(self) -> bool:
        """Whether vectors pass through bit for bit."""
        return not self.mean.any() and np.array_equal(
            self.matrix, np.eye(len(self.mean), dtype=np.float32)
        )

    def apply(self, vectors: Float32, progress: Steps = ignore_steps) -> Float32:
        """Take unit rows of the caller into the searched space, as unit rows.

        Args:
            vectors: shape ``(n, D)``; left unchanged, may be memory-mapped.
            progress: told how many rows are done, and of how many.

        Returns:
            A new array of shape ``(n, D)``. A row that equals the mean has no
            direction there and becomes zero, a neighbour of nothing.
        """
        if self.is_identity:
            return np.array(vectors, dtype=np.float32)
        out = np.empty(vectors.shape, dtype=np.float32)
        for start in range(0, len(vectors), _BLOCK):
            moved = (vectors[start : start + _BLOCK] - self.mean) @ self.matrix
            norms = np.linalg.norm(moved, axis=1, keepdims=True)
            out[start : start + _BLOCK] = moved / np.maximum(norms, 1e-12)
            progress(min(start + _BLOCK, len(vectors)), len(vectors))
        return out

    def invert(self, vectors: Float32) -> Float32:
        """Take unit rows of the searched space back to the caller's, as unit rows."""
        if self.is_identity:
            return np.array(vectors, dtype=np.float32)
        return l2_normalize(self.scale * vectors @ self.inverse + self.mean)


def _whitening(
    vectors: Float32, mean: np.ndarray, config: TransformConfig
) -> tuple[np.ndarray, np.ndarray]:
    """ZCA with shrinkage: the rotation that stays closest to the original axes."""
    covariance = np.zeros((len(mean), len(mean)))
    for block in _blocks(vectors):
        centered = block - mean
        covariance += centered.T @ centered
    variance, axes = np.linalg.eigh(covariance / len(vectors))
    # eigh can return tiny negative values for directions without variance
    shrunk = np.maximum(variance, 0) + config.shrinkage * variance.mean() + 1e-12
    power = shrunk ** (config.strength / 2)
    return axes / power @ axes.T, axes * power @ axes.T


def _blocks(vectors: Float32) -> list[np.ndarray]:
    return [vectors[s : s + _BLOCK] for s in range(0, len(vectors), _BLOCK)]
