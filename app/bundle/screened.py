"""Exact search in two passes: ceilings from int8, then the scores of a few rows.

Whatever has a ceiling below the k-th best exact score cannot be among the k best. Where
that shows too little, because too many rows lie too close together, the flat index
answers.
"""

import math
import time
from collections.abc import Sequence
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
# The first pass is for searches that may find more than one row in so many, and want
# fewer; others cost the flat index less.
_TRIED: Final = 32_768
# Rows that both ways are timed on: more than the cache of a core holds.
_COUNTS: Final = (1, 8)
# Queries that they are timed with.
_REPEATS: Final = 3
_TIMED_K: Final = 118
# Ten neighbors, a hundred vectors of a context, and eight more.


class ScreenedSearcher(Searcher):
    """Finds what the flat index finds, and equal scores by row."""

    files = (CODES, BOUNDS)

    def __init__(self, row_NC: Float32, codes: Codes, *, least: float) -> None:
        """Search these rows.

        Args:
            row_NC: of `nextvec.app.bundle.vectors`.
            codes: of the same rows.
            least: queries from which on the first pass pays.
        """
        self._row_NC, self._flat = row_NC, FlatSearcher(row_NC)
        self._codes, self._least = codes, least

    @classmethod
    def build(cls, row_NC: Float32, dim: int) -> Self:
        """Encode the rows."""
        return cls._timed(row_NC, Codes.of(row_NC, dim))

    @classmethod
    def load(cls, folder: Path, row_NC: Float32, dim: int) -> Self:
        """Map the codes into memory.

        Raises:
            BundleError: they are missing, damaged, or of other rows.
        """
        return cls._timed(row_NC, Codes.load(folder, len(row_NC), dim))

    @classmethod
    def _timed(cls, row_NC: Float32, codes: Codes) -> Self:
        """See from how many queries on the first pass pays on this processor.

        In the thread that loads, with its threads: a tenth of a second. By the time of
        processors, not that of the clock: a machine that was busy when the service
        started must not make it slow for as long as it runs.
        """
        tried = cls(row_NC[:_TRIED], codes.head(_TRIED), least=1)
        query_QC = row_NC[np.arange(max(_COUNTS)) % len(row_NC)]
        ways = (tried._flat.candidates, tried._screened)
        took: dict[tuple[int, int], list[float]] = {}
        for _ in range(_REPEATS):
            for way, count in product(range(len(ways)), _COUNTS):
                began = time.process_time()
                ways[way](query_QC[:count], _TIMED_K, [None] * count)
                took.setdefault((way, count), []).append(time.process_time() - began)
        flat, screened = (
            [min(took[way, count]) for count in _COUNTS] for way in range(len(ways))
        )
        return cls(row_NC, codes, least=pays_from(flat, screened))

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
        if len(query_QC) < self._least or not self._may_pay(wanted, selection):
            return self._flat.search(query_QC, k, selection)
        scores_QK = np.full((len(query_QC), k), -np.inf, np.float32)
        rows_QK = np.full((len(query_QC), k), -1, np.int64)
        unsure = []
        found = self._screened(query_QC, wanted, [selection] * len(query_QC))
        for place, one in enumerate(found):
            scores = exact_scores(self._row_NC[one.rows], query_QC[place])
            best = np.lexsort((one.rows, -scores))[:k]
            if len(best) < k or scores[best[-1]] > one.ceiling:
                scores_QK[place, : len(best)] = scores[best]
                rows_QK[place, : len(best)] = one.rows[best]
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
        places = [
            place for place, one in enumerate(selections) if self._may_pay(k, one)
        ]
        if len(places) < self._least:
            places = []
        others = sorted(set(range(len(selections))) - set(places))
        found: dict[int, Candidates] = {}
        for ways, some in ((self._screened, places), (self._flat.candidates, others)):
            found |= zip(
                some,
                ways(query_QC[some], k, [selections[place] for place in some]),
                strict=True,
            )
        return [found[place] for place in range(len(selections))]

    def _may_pay(self, wanted: int, selection: Selection | None) -> bool:
        most = len(self._row_NC) if selection is None else selection.count
        return max(_SHARE * wanted, len(self._row_NC)) < _SHARE * most

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
        if screened < flat:
            return count
    return math.inf
