"""The index: search by inner product. The only module that knows faiss."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from nextvec.app.bundle.vectors import as_queries, as_rows, load_rows, save_rows
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.vectors import Float32, Int64

_faiss: Final[Any] = faiss
# Its stubs know the signatures of C++ only, not those of its Python wrappers.


def set_index_threads(threads: int) -> None:
    """Bound the threads of searches made by the calling thread.

    OpenMP keeps a team for each thread that enters it, so this holds for no other.
    """
    faiss.omp_set_num_threads(threads)


class Selection:
    """The rows that may be found."""

    def __init__(self, allowed_N: NDArray[np.bool_]) -> None:
        """Take one boolean for each row of the index."""
        self.count = int(np.count_nonzero(allowed_N))
        bits = np.packbits(allowed_N, bitorder="little")
        self.selector = _faiss.IDSelectorBitmap(bits)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found for one query, best first."""

    rows: Int64
    """Row numbers; never -1."""

    scores: Float32
    """Score of each, higher is better: cosine in the searched space less beta times its
    hubness."""


class Searcher(Protocol):
    """One kind of index: everything it has to be able to do.

    Whatever it keeps for itself, the vectors are not its business: they lie in a file
    of their own, from which contexts are left out and neighbors scored.
    """

    @classmethod
    def build(cls, row_NC: Float32) -> Self:
        """Index rows (`nextvec.app.bundle.vectors`) by their inner products."""

    @classmethod
    def load(cls, folder: Path, row_NC: Float32) -> Self:
        """Read what `save` wrote.

        Raises:
            BundleError: missing, damaged, or of another kind.
        """

    def save(self, folder: Path) -> None:
        """Write what it needs beside the vectors, if anything, into a bundle."""

    def digest(self) -> str:
        """Return the SHA-256 of the index, vectors included, as hexadecimal digits."""

    def search(
        self, query_QC: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return inner products and rows, each ``(Q, k)``, best first.

        Where it finds fewer than ``k``, -1 stands for a row; it may find fewer than
        there are.
        """


class FlatSearcher:
    """Every row compared with every query, where they lie: exact, and no copy."""

    def __init__(self, row_NC: Float32) -> None:
        """Search these rows."""
        self._row_NC = row_NC

    @classmethod
    def build(cls, row_NC: Float32) -> Self:
        """Search these rows."""
        return cls(row_NC)

    @classmethod
    def load(cls, _folder: Path, row_NC: Float32) -> Self:
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
        _faiss.knn_inner_product(
            _faiss.swig_ptr(query_QC),
            _faiss.swig_ptr(self._row_NC),
            columns,
            num_queries,
            n,
            k,
            _faiss.swig_ptr(scores_QK),
            _faiss.swig_ptr(rows_QK),
            None if selection is None else selection.selector,
        )
        return scores_QK, rows_QK


INDEX_KINDS: Final[Mapping[str, type[Searcher]]] = {"flat": FlatSearcher}
"""What a bundle may name as its kind."""


class NeighborIndex:
    """All vectors of a catalogue in the searched space, with hubness; read only."""

    def __init__(
        self,
        row_NC: Float32,
        searcher: Searcher,
        *,
        dim: int,
        kind: str,
        fingerprint: str,
    ) -> None:
        """Put rows and the way to search them together.

        Args:
            row_NC: of `nextvec.app.bundle.vectors`.
            searcher: finds candidates among them.
            dim: length D of a vector.
            kind: its name, one of `INDEX_KINDS`.
            fingerprint: of the corpus whose rows these are.
        """
        self._row_NC, self._searcher, self.dim = row_NC, searcher, dim
        self.kind, self.fingerprint = kind, fingerprint
        self.vectors: Float32 = row_NC[:, :dim]

    @property
    def hubness(self) -> Float32:
        """Hubness of each row, shape ``(N,)``."""
        hubness_N: Float32 = -self._row_NC[:, self.dim]
        return hubness_N

    @classmethod
    def build(
        cls,
        vectors: Float32,
        hubness: Float32 | None = None,
        *,
        kind: str,
        fingerprint: str,
    ) -> Self:
        """Index a catalogue.

        Args:
            vectors: unit rows in the searched space, shape ``(N, D)``.
            hubness: of each, shape ``(N,)``; None for none.
            kind: one of `INDEX_KINDS`.
            fingerprint: of the corpus whose rows these are.

        Raises:
            BundleError: the kind is unknown.
        """
        if hubness is None:
            hubness = np.zeros(len(vectors), np.float32)
        row_NC, dim = as_rows(vectors, hubness), vectors.shape[1]
        searcher = _kind(kind).build(row_NC)
        return cls(row_NC, searcher, dim=dim, kind=kind, fingerprint=fingerprint)

    @classmethod
    def load(cls, folder: Path, *, dim: int, kind: str, fingerprint: str) -> Self:
        """Read it from a bundle's folder; the rows are mapped into memory.

        Raises:
            BundleError: missing, damaged, or of another kind or length.
        """
        searcher_kind, row_NC = _kind(kind), load_rows(folder, dim)
        searcher = searcher_kind.load(folder, row_NC)
        return cls(row_NC, searcher, dim=dim, kind=kind, fingerprint=fingerprint)

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        save_rows(folder, self._row_NC)
        self._searcher.save(folder)

    def digest(self) -> str:
        """Return the SHA-256 of the index, as hexadecimal digits."""
        return self._searcher.digest()

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self.vectors)

    def require(self, *, dim: int, fingerprint: str) -> None:
        """Refuse a model that this index was not made for.

        Raises:
            IndexMismatchError: it predicts another D, or was trained on another corpus.
        """
        require_match(
            dim=dim,
            fingerprint=fingerprint,
            index_dim=self.dim,
            index_fingerprint=self.fingerprint,
        )

    def candidates(self, selection: Selection | None) -> int:
        """Return how many rows a search can find at most."""
        return len(self) if selection is None else selection.count

    def search(
        self,
        query_QD: Float32,
        k: int,
        selection: Selection | None = None,
        *,
        beta: float = 0.0,
    ) -> list[Found]:
        """Find the rows with the highest scores for each query.

        Args:
            query_QD: unit rows in the searched space.
            k: results for each query, at least 1.
            selection: the rows that may be found; None allows all.
            beta: share of its hubness that a row scores less; 0 is plain cosine.

        Returns:
            For each query ``k`` results, best first; fewer where there are fewer
            candidates, or where a kind that is not exact finds no more. Equal scores
            are in no particular order (`find_neighbors`).
        """
        k = min(k, self.candidates(selection))
        if k == 0:
            nothing = Found(np.empty(0, np.int64), np.empty(0, np.float32))
            return [nothing] * len(query_QD)
        scores_QK, rows_QK = self._searcher.search(
            as_queries(query_QD, beta), k, selection
        )
        # the places there is no result for are filled with -1
        return [
            Found(rows[rows >= 0], scores[rows >= 0])
            for rows, scores in zip(rows_QK, scores_QK, strict=True)
        ]

    def scores(self, rows: Int64, query_D: Float32, *, beta: float = 0.0) -> Float32:
        """Score some rows so that equal rows score equal, whatever is beside them.

        The search itself promises that for no more than one call: it changes to a
        matrix product at 20 queries, which rounds differently.
        """
        query_C = as_queries(query_D[None], beta)[0]
        scores: Float32 = np.einsum("kc,c->k", self._row_NC[rows], query_C)
        return scores


def require_match(
    *, dim: int, fingerprint: str, index_dim: int, index_fingerprint: str
) -> None:
    """Refuse a model and an index that were not made for each other.

    Args:
        dim: length of what the model predicts.
        fingerprint: of the corpus that the model was trained on.
        index_dim: length of what the index holds.
        index_fingerprint: of the corpus that the index holds.

    Raises:
        IndexMismatchError: they differ.
    """
    if dim != index_dim:
        msg = f"model predicts {dim} numbers, index takes {index_dim}"
        raise IndexMismatchError(msg)
    if fingerprint != index_fingerprint:
        msg = (
            f"model was trained on corpus {fingerprint[:12]}, index holds "
            f"{index_fingerprint[:12]}"
        )
        raise IndexMismatchError(msg)


def _kind(name: str) -> type[Searcher]:
    if name not in INDEX_KINDS:
        msg = f"index kind must be one of {', '.join(INDEX_KINDS)}, got {name!r}"
        raise BundleError(msg)
    return INDEX_KINDS[name]
