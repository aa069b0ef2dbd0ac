"""Exact search in two passes: ceilings from int8, then the scores of a few rows.

Whatever has a ceiling below the k-th best exact score cannot be among the k best. Where
that shows too little, because too many rows lie too close together, the flat index
answers.
"""

import math
import time
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Final, Self

import numpy as np

from nextvec.app.bundle.codes import BOUNDS, CODES, Codes
from nextvec.app.bundle.flat import FlatSearcher
from nextvec.app.bundle.searcher import Candidates, Searcher, Selection, exact_scores
from nextvec.training.vectors import Float32, Int64

_MANY: Final = 32
# Queries of one pass: as many as a batch has.
_SHARE: Final = 8
# Of a search that may find one row in so many the flat index skips the others.
_DEPTH: Final = 4
# Of a search that wants one row in so many most have to be scored.
_TRIED: Final = 65_536
# Rows that both ways are timed on: more than the cache of a core holds.
_COUNTS: Final = (1, 8)
# Queries that they are timed with.
_REPEATS: Final = 3
_COLD: Final = 1.25
# What the flat index takes more where something else was in the caches since, as in a
# service: it reads four times the bytes. Of 71,526 rows of 256 one query took 2.7 ms in
# a loop and 7.5 between predictions, where the first pass took 4.5.
_TIMED_K: Final = 118
# Ten neighbors, a hundred vectors of a context, and eight more.


class ScreenedSearcher(Searcher):
    """Finds what the flat index finds, and equal scores by row."""

    files = (CODES, BOUNDS)

    def __init__(
        self, row_NC: Float32, codes: Codes, *, least: float | None = None
    ) -> None:
        """Search these rows.

        Args:
            row_NC: of `nextvec.app.bundle.vectors`.
            codes: of the same rows.
            least: queries from which on the first pass pays; None measures it when
                first something is searched for.
        """
        self._row_NC, self._flat = row_NC, FlatSearcher(row_NC)
        self._codes, self._told = codes, least

    @classmethod
    def build(cls, row_NC: Float32, dim: int) -> Self:
        """Encode the rows."""
        return cls(row_NC, Codes.of(row_NC, dim))

    @classmethod
    def load(cls, folder: Path, row_NC: Float32, dim: int) -> Self:
        """Map the codes into memory.

        Raises:
            BundleError: they are missing, damaged, or of other rows.
        """
        return cls(row_NC, Codes.load(folder, len(row_NC), dim))

    @cached_property
    def _least(self) -> float:
        """Queries from which on the first pass pays on this processor.

        A tenth of a second, in the thread that asks for it first, or that prepares it.
        By the time that this thread was on a processor, not by the clock: a machine
        that was busy when it was measured must not make it slow for as long as it runs.
        Nor by the time of the process: another bundle may answer meanwhile.
        """
        if self._told is not None:
            return self._told
        tried = type(self)(self._row_NC[:_TRIED], self._codes.head(_TRIED), least=1)
        query_QC = self._row_NC[np.arange(max(_COUNTS)) % len(self._row_NC)]
        ways = (tried._flat.candidates, tried._screened)  # noqa: SLF001 - its own
        took: dict[tuple[int, int], list[float]] = {}
        for _ in range(_REPEATS):
            for way, count in product(range(len(ways)), _COUNTS):
                began = time.thread_time()
                ways[way](query_QC[:count], _TIMED_K, [None] * count)
                took.setdefault((way, count), []).append(time.thread_time() - began)
        flat, screened = (
            [min(took[way, count]) for count in _COUNTS] for way in range(len(ways))
        )
        return pays_from(flat, screened)

    def prepare(self) -> None:
        """Measure when the first pass pays."""
        _ = self._least

    def save(self, folder: Path) -> None:
        """Write the codes beside the vectors."""
        self._codes.save(folder)

    def digest(self) -> str:
        """Return that of the flat index, of which this is another way to the answer."""
        return self._flat.digest()

    def search(
        self, query_QC: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return the ``k`` best of all rows.

        Of a query that the first pass was enough for, by `exact_scores` and then by
        row; of any other, as the flat index returns them.
        """
        wanted = k + k // 2 + 32
        selections = [selection] * len(query_QC)
        if not self._places_that_pay(wanted, selections):
            return self._flat.search(query_QC, k, selection)
        scores_QK = np.empty((len(query_QC), k), np.float32)
        rows_QK = np.empty((len(query_QC), k), np.int64)
        unsure = []
        found = self._screened(query_QC, wanted, selections)
        for place, one in enumerate(found):
            scores = exact_scores(self._row_NC[one.rows], query_QC[place])
            best = np.lexsort((one.rows, -scores))[:k]
            if scores[best[-1]] > one.ceiling:
                scores_QK[place], rows_QK[place] = scores[best], one.rows[best]
            else:
                unsure.append(place)
        if unsure:
            flat = self._flat.search(query_QC[unsure], k, selection)
            scores_QK[unsure], rows_QK[unsure] = flat
        return scores_QK, rows_QK

    def candidates(
        self, query_QC: Float32, k: int, selections: Sequence[Selection | None]
    ) -> list[Candidates]:
        """Return the ``k`` rows with the highest ceilings, where that pays.

        Else what the flat index finds.
        """
        places = self._places_that_pay(k, selections)
        others = sorted(set(range(len(selections))) - set(places))
        found: dict[int, Candidates] = {}
        for ways, some in ((self._screened, places), (self._flat.candidates, others)):
            found |= zip(
                some,
                ways(query_QC[some], k, [selections[place] for place in some]),
                strict=True,
            )
        return [found[place] for place in range(len(selections))]

    def _places_that_pay(
        self, wanted: int, selections: Sequence[Selection | None]
    ) -> list[int]:
        """Return which queries the first pass is for; none where together it is not.

        The flat index skips rows that may not be found, the first pass does not.
        """
        num_rows = len(self._row_NC)
        most = [num_rows if one is None else one.count for one in selections]
        places = [
            place
            for place, count in enumerate(most)
            if count > max(num_rows // _SHARE, _DEPTH * wanted)
        ]
        whole = sum(most[place] for place in places) / num_rows
        return places if whole >= self._least else []

    def _screened(
        self, query_QC: Float32, k: int, selections: Sequence[Selection | None]
    ) -> list[Candidates]:
        return [
            candidates
            for start in range(0, len(query_QC), _MANY)
            for candidates in self._codes.candidates(
                query_QC[start : start + _MANY], k, selections[start : start + _MANY]
            )
        ]


def pays_from(flat_s: Sequence[float], screened_s: Sequence[float]) -> float:
    """Return from how many queries on the first pass is the faster way.

    Args:
        flat_s: seconds of the flat index for one query and for eight.
        screened_s: of the first pass.

    Returns:
        Infinity where it is slower for 32, too.

    Example:
        >>> pays_from([2, 16], [5, 7])
        3
    """
    few, many = _COUNTS
    for count in range(1, _MANY + 1):
        flat, screened = (
            one + (count - few) * (some - one) / (many - few)
            for one, some in (flat_s, screened_s)
        )
        if screened < _COLD * flat:
            return count
    return math.inf
