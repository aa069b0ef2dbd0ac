"""What a session has been given: rows where they are known, vectors where not."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nextvec.training.vectors import Float32, Int64


@dataclass(frozen=True, slots=True)
class Trail:
    """The newest vectors of a session, oldest first; never changed."""

    rows: Int64
    """Row of each in the index, -1 for one that is none; shape ``(T,)``."""

    given: Float32
    """Those that are none, unit vectors in the searched space, shape ``(U, D)``."""

    @classmethod
    def empty(cls, dim: int) -> Self:
        """Return the trail of a session that has been given nothing."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def __len__(self) -> int:
        """Return the number of vectors, T."""
        return len(self.rows)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, in bytes."""
        return self.rows.nbytes + self.given.nbytes

    def extended(self, rows: Int64, context_TD: Float32) -> "Trail":
        """Return this and some more.

        Args:
            rows: of the vectors that are new, -1 for one that is no row.
            context_TD: they themselves.
        """
        given = np.concatenate([self.given, context_TD[rows < 0]])
        return Trail(np.concatenate([self.rows, rows]), given)

    def newest(self, count: int) -> "Trail":
        """Return the newest so many, or all if there are no more."""
        if len(self) <= count:
            return self
        num_lost = int((self.rows[:-count] < 0).sum())
        # copies: views would keep what is forgotten in memory
        return Trail(self.rows[-count:].copy(), self.given[num_lost:].copy())

    def context(self, vectors_ND: Float32) -> Float32:
        """Return the vectors, shape ``(T, D)``.

        Args:
            vectors_ND: of the index.
        """
        context_TD: Float32 = vectors_ND[self.rows]
        context_TD[self.rows < 0] = self.given
        return context_TD
