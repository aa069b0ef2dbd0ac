"""Which item a vector is, however it was sent."""

from functools import cache
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextvec.app.bundle.mapped import mapped
from nextvec.training.array_files import save_array
from nextvec.training.vectors import Float32, Int64

KNOWN: Final = "known.npy"
"""Products of each given vector with some fixed directions, float32 ``(N, 8)``."""

_NUM_DIRECTIONS: Final = 8
_TOLERANCE: Final = 1e-5
# What float32 and another normalization move a product by: at most 5e-7 for 20,000
# vectors of D = 128, 768 and 1024. Two that differ by 0.001 agree in one direction with
# a chance of 0.008, in all eight with one of 1e-16.

_MANY: Final = 1 << 16
# Rows that are compared at once: of a million with the same vector each is near.


class KnownItems:
    """Finds the row of an item by the vector it had before training changed it.

    The index holds what an item's vector has become; a caller who sends vectors sends
    them as they were.
    """

    def __init__(self, products: Float32) -> None:
        """Take the products of each row, shape ``(N, 8)``, and sort them by the first.

        Here and not when the first vector comes: a million rows take 0.2 s.
        """
        self.products = products
        self._order = np.argsort(products[:, 0], kind="stable")
        self._first = products[self._order, 0]

    @classmethod
    def of(cls, vectors_ND: Float32) -> Self:
        """Take the vectors of a corpus, unit rows in the caller's space."""
        return cls(_products(vectors_ND))

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        save_array(folder / KNOWN, self.products)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory.

        Raises:
            BundleError: missing or damaged.
        """
        shape = (None, _NUM_DIRECTIONS)
        products = mapped(folder / KNOWN, "known vectors", np.float32, shape)
        return cls(products)

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self.products)

    def rows_of(self, vectors_TD: Float32) -> Int64:
        """Return the row of each vector, -1 for one that is no known item.

        Args:
            vectors_TD: unit rows in the caller's space.

        Returns:
            Shape ``(T,)``; of items with the same vector the first.
        """
        product_TC = _products(vectors_TD)
        first_T = product_TC[:, 0]
        low_T = np.searchsorted(self._first, first_T - _TOLERANCE)
        high_T = np.searchsorted(self._first, first_T + _TOLERANCE, side="right")
        count_T = high_T - low_T
        until_T = np.cumsum(count_T)
        num_rows, start = len(self.products), 0
        rows_T = np.full(len(vectors_TD), num_rows)
        while start < len(vectors_TD):
            before = until_T[start] - count_T[start]
            stop = int(np.searchsorted(until_T, before + _MANY, side="right"))
            some = slice(start, max(stop, start + 1))
            self._match(product_TC[some], low_T[some], count_T[some], rows_T[some])
            start = some.stop
        rows_T[rows_T == num_rows] = -1
        return rows_T

    def _match(
        self, product_TC: Float32, low_T: Int64, count_T: Int64, rows_T: Int64
    ) -> None:
        """Lower each row to the first that all products agree with.

        All at once: one after another, a batch of contexts took as long in here as in
        its network.

        Args:
            product_TC: of the vectors.
            low_T: where what is near in the first product begins, in its order.
            count_T: how many are.
            rows_T: rows to lower.
        """
        places = np.repeat(np.arange(len(count_T)), count_T)
        begin_T = np.cumsum(count_T) - count_T
        near = self._order[np.arange(len(places)) + (low_T - begin_T)[places]]
        apart = np.abs(self.products[near] - product_TC[places]).max(1, initial=0.0)
        is_same = apart <= _TOLERANCE
        np.minimum.at(rows_T, places[is_same], near[is_same])


@cache
def _directions(dim: int) -> NDArray[np.float64]:
    """Return the fixed directions, shape ``(D, 8)``."""
    return np.random.default_rng(0).standard_normal((dim, _NUM_DIRECTIONS))


def _products(vectors_ND: NDArray[np.floating]) -> Float32:
    directions = _directions(vectors_ND.shape[1])
    products: Float32 = (vectors_ND @ directions).astype(np.float32)
    return products
