"""Matrices as the kernel reads them: the head of `kernel.c` says how they lie."""

import ctypes
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from nextvec.training.vectors import Float32

PANEL: Final = 16
"""Outputs that lie side by side."""

_OUTPUTS, _INPUTS, _CODES = 32, 4, 64
# Of which sizes of a packed matrix are multiples; the source says why.


class Matrix(ctypes.Structure):
    """`matrix` of the source."""

    _fields_ = (
        ("packed", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("sum", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("inputs", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
    )


@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix as the kernel reads it, and the arrays that it points to."""

    matrix: Matrix
    arrays: tuple[np.ndarray, ...]

    @classmethod
    def floats(cls, weight_NK: Float32, bias_N: Float32) -> Self:
        """Pack a matrix of float32."""
        padded, bias = _padded(weight_NK, _INPUTS), _padded_bias(bias_N)
        panels = padded.reshape(-1, PANEL, padded.shape[1]).transpose(0, 2, 1)
        return cls._of(np.ascontiguousarray(panels), bias, None, None, padded.shape)

    @classmethod
    def codes(cls, code_NK: np.ndarray, scale_N: Float32, bias_N: Float32) -> Self:
        """Pack a matrix of int8, of which each row has a scale."""
        padded, bias = _padded(code_NK, _CODES), _padded_bias(bias_N)
        outputs, inputs = padded.shape
        fours = padded.reshape(outputs // PANEL, PANEL, inputs // _INPUTS, _INPUTS)
        packed = np.ascontiguousarray(fours.transpose(0, 2, 1, 3))
        sums = padded.sum(axis=1, dtype=np.int32)
        return cls._of(packed, bias, _padded_bias(scale_N), sums, padded.shape)

    @classmethod
    def _of(
        cls,
        packed: np.ndarray,
        bias: np.ndarray,
        scale: np.ndarray | None,
        sums: np.ndarray | None,
        shape: tuple[int, ...],
    ) -> Self:
        matrix = Matrix(
            packed=packed.ctypes.data,
            scale=None if scale is None else scale.ctypes.data,
            sum=None if sums is None else sums.ctypes.data,
            bias=bias.ctypes.data,
            inputs=shape[1],
            outputs=shape[0],
        )
        held = (packed, bias, scale, sums)
        return cls(matrix, tuple(array for array in held if array is not None))


def _padded(matrix_NK: np.ndarray, least_inputs: int) -> np.ndarray:
    outputs, inputs = (
        -(-size // least) * least
        for size, least in zip(matrix_NK.shape, (_OUTPUTS, least_inputs), strict=True)
    )
    padded = np.zeros((outputs, inputs), matrix_NK.dtype)
    padded[: matrix_NK.shape[0], : matrix_NK.shape[1]] = matrix_NK
    return padded


def _padded_bias(bias_N: Float32) -> np.ndarray:
    padded = np.zeros(-(-len(bias_N) // _OUTPUTS) * _OUTPUTS, np.float32)
    padded[: len(bias_N)] = bias_N
    return padded
