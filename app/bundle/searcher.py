"""What every kind of index has to be able to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from nextvec.training.vectors import Float32, Int64

_MARGIN: Final = 2e-6
# Scores of a search and of `exact_scores` differ by rounding, less than this for a
# prediction and a score of length 1: a row left unseen cannot beat one that leads the
# last row seen by more.


class Selection:
    """The rows that may be found."""

    def __init__(self, allowed_N: NDArray[np.bool_]) -> None:
        """Take one boolean for each row of the index."""
        self.allowed = allowed_N
        self.count = int(np.count_nonzero(allowed_N))

    @cached_property
    def barred(self) -> NDArray[np.bool_]:
        """The rows that may not."""
        return ~self.allowed

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The same, eight rows in an octet, the first in its lowest bit."""
        return np.packbits(self.allowed, bitorder="little")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows that may be the best for one query, and what the others cannot exceed."""

    rows: Int64
    """Row numbers, in no particular order; never -1."""

    ceiling: float
    """No other row that may be found has a score above this (`exact_scores`); minus
    infinity where no other is left."""


class Searcher(Protocol):
    """One kind of index: everything it has to be able to do.

    Whatever it keeps for itself, the vectors are not its business: they lie in a file
    of their own, from which contexts are left out and neighbors scored.
    """

    files: ClassVar[tuple[str, ...]] = ()
    """Names of what `save` writes."""

    @classmethod
    def build(cls, row_NC: Float32, dim: int) -> Self:
        """Index rows by their inner products.

        Args:
            row_NC: of `nextvec.app.bundle.vectors`.
            dim: length D of a vector.
        """

    @classmethod
    def load(cls, folder: Path, row_NC: Float32, dim: int) -> Self:
        """Read what `save` wrote.

        Raises:
            BundleError: missing, damaged, or of another kind.
        """

    def save(self, folder: Path) -> None:
        """Write what it needs beside the vectors, if anything, into a bundle."""

    def prepare(self) -> None:
        """Do now what the first search would do; most have nothing to do."""
        return

    def digest(self) -> str:
        """Return the SHA-256 of the index, vectors included, as hexadecimal digits."""

    def search(
        self, query_QC: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return inner products and rows, each ``(Q, k)``, best first.

        Where it finds fewer than ``k``, -1 stands for a row; it may find fewer than
        there are.
        """

    def candidates(
        self, query_QC: Float32, k: int, selections: Sequence[Selection | None]
    ) -> list[Candidates]:
        """Return about ``k`` promising rows for each query, each with its selection.

        What cannot tell candidates cheaper than results returns results; and of an
        index that does not find everything, the ceiling holds for what it finds.
        """
        together: dict[int, list[int]] = {}
        for place, selection in enumerate(selections):
            together.setdefault(id(selection), []).append(place)
        found: dict[int, Candidates] = {}
        for places in together.values():
            some = results(self, query_QC[places], k, selections[places[0]])
            found |= zip(places, some, strict=True)
        return [found[place] for place in range(len(query_QC))]


def results(
    searcher: Searcher, query_QC: Float32, k: int, selection: Selection | None
) -> list[Candidates]:
    """Return the results of a search as candidates."""
    scores_QK, rows_QK = searcher.search(query_QC, k, selection)
    found_QK = rows_QK >= 0
    length_Q = np.linalg.norm(query_QC, axis=1)
    candidates = []
    for rows, scores, found, length in zip(
        rows_QK, scores_QK, found_QK, length_Q, strict=True
    ):
        ceiling = -np.inf
        if found.any():
            last = float(scores[found][-1])
            ceiling = last + _MARGIN * max(1.0, float(length), abs(last))
        candidates.append(Candidates(rows[found], ceiling))
    return candidates


def exact_scores(row_KC: Float32, query_C: Float32) -> Float32:
    """Score rows so that equal rows score equal, whatever is beside them.

    The searches themselves do not promise that: they change to a matrix product for
    many queries, which rounds differently.

    Args:
        row_KC: some rows of `nextvec.app.bundle.vectors`.
        query_C: one query of the same.

    Returns:
        Shape ``(K,)``.
    """
    scores: Float32 = np.einsum("kc,c->k", row_KC, query_C)
    return scores
