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
        rows_T = np.full(len(vectors_TD), -1, dtype=np.int64)
        for place, product_C in enumerate(product_TC):
            near = self._order[low_T[place] : high_T[place]]
            apart = np.abs(self.products[near] - product_C).max(axis=1, initial=0.0)
            same = near[apart <= _TOLERANCE]
            if len(same):
                rows_T[place] = same.min()
        return rows_T


@cache
def _directions(dim: int) -> NDArray[np.float64]:
    """Return the fixed directions, shape ``(D, 8)``."""
    return np.random.default_rng(0).standard_normal((dim, _NUM_DIRECTIONS))


def _products(vectors_ND: NDArray[np.floating]) -> Float32:
    directions = _directions(vectors_ND.shape[1])
    products: Float32 = (vectors_ND @ directions).astype(np.float32)
    return products
