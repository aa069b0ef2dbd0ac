"""The flat index: every row compared with every query. The only module with faiss."""

import hashlib
from pathlib import Path
from typing import Any, Final, Self

import faiss
import numpy as np

from nextvec.app.bundle.searcher import Searcher, Selection
from nextvec.training.vectors import Float32, Int64

_faiss: Final[Any] = faiss
# Its stubs know the signatures of C++ only, not those of its Python wrappers.


def set_index_threads(threads: int) -> None:
    """Bound the threads of flat searches made by the calling thread.

    OpenMP keeps a team for each thread that enters it, so this holds for no other.
    """
    faiss.omp_set_num_threads(threads)


class FlatSearcher(Searcher):
    """Every row compared with every query, where they lie: exact, and no copy."""

    def __init__(self, row_NC: Float32) -> None:
        """Search these rows."""
        self._row_NC = row_NC

    @classmethod
    def build(cls, row_NC: Float32, _dim: int) -> Self:
        """Search these rows."""
        return cls(row_NC)

    @classmethod
    def load(cls, _folder: Path, row_NC: Float32, _dim: int) -> Self:
        """Need nothing but the vectors."""
        return cls(row_NC)

    def save(self, _folder: Path) -> None:
        """Need nothing but the vectors."""

    def digest(self) -> str:
        """Return the SHA-256 of the ``IndexFlatIP`` of these rows, as faiss writes it.

        Rows of another order, hubness or length have another.
        """
        found = hashlib.sha256()

        def update(part: bytes) -> int:
            found.update(part)
            return len(part)

        index = faiss.IndexFlatIP(self._row_NC.shape[1])
        _faiss.IndexFlatIP.add(index, self._row_NC)
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(update))
        return found.hexdigest()

    def search(
        self, query_QC: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return the ``k`` best of all rows: what ``IndexFlatIP`` does, on our memory.

        The rows are aligned to 64 bytes here, which its own copy is not: 71,526 x 256,
        one query 1.75 ms instead of 2.36, 32 queries 56 instead of 77.
        """
        (n, columns), num_queries = self._row_NC.shape, len(query_QC)
        scores_QK = np.empty((num_queries, k), np.float32)
        rows_QK = np.empty((num_queries, k), np.int64)
        selector = (
            None if selection is None else _faiss.IDSelectorBitmap(selection.bits)
        )
        _faiss.knn_inner_product(
            _faiss.swig_ptr(query_QC),
            _faiss.swig_ptr(self._row_NC),
            columns,
            num_queries,
            n,
            k,
            _faiss.swig_ptr(scores_QK),
            _faiss.swig_ptr(rows_QK),
            selector,
        )
        return scores_QK, rows_QK
