"""Rows in int8: a quarter of the memory, and a ceiling on the score of each.

A row x is held as ``scale * code + rest``, code in int8; so is a query q. Then

    x.q = scale_x scale_q code_x.code_q  +  rest_x.q  +  scale_x code_x.rest_q

The first term is a product of integers, which is exact, and which processors with VNNI
or AMX compute several times faster than one of floats, for 32 queries at the price of
two. The others are at most ``|rest_x| |q| + |scale_x code_x| |rest_q|``
(Cauchy-Schwarz). With the hubness, which is not encoded, and with what float32 may
round, that is a ceiling that the score of the row does not exceed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from nextvec.app.bundle.mapped import mapped
from nextvec.app.bundle.searcher import Candidates, Selection
from nextvec.training.array_files import save_array
from nextvec.training.vectors import Float32, Int64

CODES: Final = "codes.npy"
"""Codes of all rows, int8, shape ``(N, B)``, B the next multiple of 64 from D on."""

BOUNDS: Final = "code_bounds.npy"
"""Of each row its scale, the length of what its code misses, the length of what its
code says, and its hubness, negative; float32, shape ``(4, N)``."""

_ALIGNED: Final = 64
# Octets in a line of the cache, and in a row of a tile of AMX.
_LEVELS: Final = 127
_SLAB: Final = 131_072
# Rows of one product: its results are 16 MiB for 32 queries.
_SERIAL: Final = 32_768
# Numbers up to which torch keeps to one thread. All but the product is done in steps of
# that: threads that wait for each other after every operation are slower than one as
# soon as anything else runs, and this much stays in the cache of a core.
_GROUP: Final = 32
# Rows whose highest ceiling is looked at before theirs are.
_UNIT: Final = 2.0**-24
# What float32 rounds one result by, as a share of it.


@dataclass(frozen=True, slots=True)
class _Asked:
    """Queries in int8, as the product takes them."""

    codes: Tensor
    """Shape ``(B, Q)``."""

    weights: Tensor
    """What the length of the rest, the length of the code and the hubness of a row
    add to its ceiling, in units of the scale of a query; shape ``(3, Q)``."""

    scale: NDArray[np.float64]
    slack: NDArray[np.float64]
    """What rounding adds to a ceiling."""


class Codes:
    """The rows of an index in int8, and what is known of their errors."""

    def __init__(self, code_NB: Tensor, bound_4N: Tensor, dim: int) -> None:
        """Take codes and bounds of rows of vectors of length ``dim``."""
        self._code_NB, self._bound_4N, self._dim = code_NB, bound_4N, dim
        # of any row: lengths of what its code misses and says, and its hubness
        self._most_3 = bound_4N[1:].abs().amax(dim=1).double().numpy()

    @classmethod
    def of(cls, row_NC: Float32, dim: int) -> Self:
        """Encode rows of vectors of length ``dim`` (`nextvec.app.bundle.vectors`)."""
        code_NB = np.zeros((len(row_NC), _num_columns(dim)), np.int8)
        bound_4N = np.empty((4, len(row_NC)), np.float32)
        for start in range(0, len(row_NC), _SLAB):
            part = slice(start, start + _SLAB)
            row_nD = row_NC[part, :dim].astype(np.float64)
            codes, scale_n1 = _encode(row_nD)
            code_NB[part, :dim] = codes
            said_nD = scale_n1 * codes
            bound_4N[0, part] = scale_n1[:, 0]
            bound_4N[1, part] = _length_at_most(row_nD - said_nD)
            bound_4N[2, part] = _length_at_most(said_nD)
            bound_4N[3, part] = row_NC[part, dim]
        return cls(torch.from_numpy(code_NB), torch.from_numpy(bound_4N), dim)

    @classmethod
    def load(cls, folder: Path, num_rows: int, dim: int) -> Self:
        """Map the codes of a bundle into memory.

        Raises:
            BundleError: missing, damaged, or not the codes of such rows.
        """
        columns = _num_columns(dim)
        return cls(
            _load(folder / CODES, np.int8, (num_rows, columns)),
            _load(folder / BOUNDS, np.float32, (4, num_rows)),
            dim,
        )

    def save(self, folder: Path) -> None:
        """Write them into a bundle's folder."""
        save_array(folder / CODES, self._code_NB.numpy())
        save_array(folder / BOUNDS, self._bound_4N.numpy())

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self._code_NB)

    def head(self, num_rows: int) -> Self:
        """Return the first rows."""
        some = slice(num_rows)
        return type(self)(self._code_NB[some], self._bound_4N[:, some], self._dim)

    def candidates(
        self,
        query_QC: Float32,
        k: int,
        selections: Sequence[Selection | None],
    ) -> list[Candidates]:
        """Return the rows with the highest ceilings.

        Args:
            query_QC: queries of `nextvec.app.bundle.vectors`.
            k: rows for each, or all that may be found where there are fewer.
            selections: the rows that may be found, for each query.
        """
        asked = self._ask(query_QC)
        best = [
            _highest(*self._ceilings(asked, start, selections), k + 1, start)
            for start in range(0, len(self), _SLAB)
        ]
        high_QK = np.concatenate([high for high, _ in best], axis=1)
        row_QK = np.concatenate([row for _, row in best], axis=1)
        # one more than the candidates: the highest of those that are none
        place_QK = _places_of_highest(high_QK, k + 1)
        row_QK = np.take_along_axis(row_QK, place_QK, axis=1)
        high_QK = np.take_along_axis(high_QK, place_QK, axis=1).astype(np.float64)
        high_QK = high_QK * asked.scale[:, None] + asked.slack[:, None]
        surplus = high_QK.shape[1] - k
        ceiling_Q = high_QK[:, 0] if surplus > 0 else np.full(len(high_QK), -np.inf)
        return [
            Candidates(row_K[high_K != -np.inf], float(ceiling))
            for row_K, high_K, ceiling in zip(
                row_QK[:, max(0, surplus) :],
                high_QK[:, max(0, surplus) :],
                ceiling_Q,
                strict=True,
            )
        ]

    def _ask(self, query_QC: Float32) -> _Asked:
        dim = self._dim
        query_QD = query_QC[:, :dim].astype(np.float64)
        beta_Q = query_QC[:, dim].astype(np.float64)
        codes, scale_Q1 = _encode(query_QD)
        code_QB = np.zeros((len(codes), self._code_NB.shape[1]), np.int8)
        code_QB[:, :dim] = codes
        scale_Q = scale_Q1[:, 0]
        length_Q = np.linalg.norm(query_QD, axis=1)
        rest_Q = np.linalg.norm(query_QD - scale_Q1 * codes, axis=1)
        rest, said, hubness = self._most_3
        # a sum of C products is off by at most C units of the sum of their sizes,
        # whatever their order (Higham 2002, 3.5): the score; a ceiling has fewer
        sizes_Q = 2 * (rest + said) * (length_Q + rest_Q) + hubness * np.abs(beta_Q)
        slack_Q = _UNIT * (query_QC.shape[1] + 32) * sizes_Q
        slack_Q += np.finfo(np.float32).tiny
        weights_3Q = np.stack([length_Q, rest_Q, beta_Q]) / scale_Q
        return _Asked(
            codes=torch.from_numpy(code_QB).t().contiguous(),
            weights=torch.from_numpy(weights_3Q.astype(np.float32)),
            scale=scale_Q,
            slack=slack_Q,
        )

    def _ceilings(
        self, asked: _Asked, start: int, selections: Sequence[Selection | None]
    ) -> tuple[Float32, Float32]:
        """Return the ceilings of a slab of rows, in units of the scale of each query.

        Returns:
            Those of the rows, filled up with minus infinity to whole groups, and the
            highest of each group.
        """
        slab = slice(start, min(start + _SLAB, len(self)))
        length, num_queries = slab.stop - start, len(selections)
        groups = -(-length // _GROUP)
        ceiling_gGQ = torch.empty(groups, _GROUP, num_queries)
        peak_gQ = torch.empty(groups, num_queries)
        ceiling_nQ = ceiling_gGQ.view(groups * _GROUP, num_queries)
        ceiling_nQ[length:] = -torch.inf
        # the one product of int8 that torch has on processors
        product_nQ = torch._int_mm(self._code_NB[slab], asked.codes)  # noqa: SLF001
        step = max(1, _SERIAL // num_queries // _GROUP)
        for group in range(0, groups, step):
            first, last = group * _GROUP, min((group + step) * _GROUP, length)
            some_bQ, rows = ceiling_nQ[first:last], slice(start + first, start + last)
            some_bQ.copy_(product_nQ[first:last]).mul_(self._bound_4N[0, rows, None])
            some_bQ.addmm_(self._bound_4N[1:, rows].t(), asked.weights)
            for place, selection in enumerate(selections):
                if selection is not None:
                    barred_b = torch.from_numpy(selection.barred[rows])
                    some_bQ[:, place].masked_fill_(barred_b, -torch.inf)
            own = slice(group, group + step)
            torch.amax(ceiling_gGQ[own], dim=1, out=peak_gQ[own])
        return ceiling_gGQ.numpy(), peak_gQ.numpy()


def _highest(
    value_gGQ: Float32, peak_gQ: Float32, k: int, start: int
) -> tuple[Float32, Int64]:
    """Return the ``k`` highest values for each query and their rows, ``(Q, k)``.

    They lie in the k groups whose highest value is highest; fewer values where there
    are fewer.

    Args:
        value_gGQ: values of the rows of each group.
        peak_gQ: the highest of each.
        k: how many.
        start: row of the first value.
    """
    group_Qk = _places_of_highest(np.ascontiguousarray(peak_gQ.T), k)
    query_Q1 = np.arange(len(group_Qk))[:, None]
    value_QV = value_gGQ[group_Qk, :, query_Q1].reshape(len(group_Qk), -1)
    place_Qk = _places_of_highest(value_QV, k)
    row_Qk = np.take_along_axis(group_Qk, place_Qk // _GROUP, axis=1) * _GROUP
    row_Qk += start + place_Qk % _GROUP
    return np.take_along_axis(value_QV, place_Qk, axis=1), row_Qk


def _places_of_highest(value_QV: NDArray[np.floating], k: int) -> Int64:
    """Return where the ``k`` highest values of each row are, the k-th first.

    Two to three times as fast as torch's `topk`.
    """
    least = max(0, value_QV.shape[1] - k)
    places: Int64 = np.argpartition(value_QV, least, axis=1)[:, least:]
    return places


def _num_columns(dim: int) -> int:
    return -(-dim // _ALIGNED) * _ALIGNED


def _encode(
    row_ND: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return codes, whole numbers up to 127, and a float32 scale for each row."""
    most_N1 = np.abs(row_ND).max(axis=1, keepdims=True, initial=0.0)
    scale_N1 = (most_N1 / _LEVELS).astype(np.float32).astype(np.float64)
    scale_N1[scale_N1 == 0] = 1.0
    codes = np.rint(row_ND / scale_N1).clip(-_LEVELS, _LEVELS)
    return codes, scale_N1


def _length_at_most(row_ND: NDArray[np.float64]) -> Float32:
    """Return the length of each row, rounded up."""
    length_N = np.linalg.norm(row_ND, axis=1).astype(np.float32)
    more_N: Float32 = np.nextafter(length_N, np.float32(np.inf))
    return more_N


def _load(path: Path, dtype: DTypeLike, shape: tuple[int, int]) -> Tensor:
    return torch.from_numpy(mapped(path, "codes", dtype, shape, mode="c"))
