"""The index: search by inner product. The only module that knows faiss."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from app.bundle.vectors import load_vectors, save_vectors
from training.errors import BundleError, IndexMismatchError
from training.vectors import Float32, Int64

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
    """Cosine similarity of each in the searched space, higher is closer."""


class Searcher(Protocol):
    """One kind of index: everything it has to be able to do.

    Whatever it keeps for itself, the vectors are not its business: they lie in a file
    of their own, from which contexts are left out and neighbors scored.
    """

    @classmethod
    def build(cls, vectors_ND: Float32) -> Self:
        """Index unit rows."""

    @classmethod
    def load(cls, folder: Path, vectors_ND: Float32) -> Self:
        """Read what `save` wrote.

        Raises:
            BundleError: missing, damaged, or of another kind.
        """

    def save(self, folder: Path) -> None:
        """Write what it needs beside the vectors, if anything, into a bundle."""

    def digest(self) -> str:
        """Return the SHA-256 of the index, vectors included, as hexadecimal digits."""

    def search(
        self, query_QD: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return scores and rows, each ``(Q, k)``, best first.

        Where it finds fewer than ``k``, -1 stands for a row; it may find fewer than
        there are.
        """


class FlatSearcher:
    """Every vector compared with every query, where they lie: exact, and no copy."""

    def __init__(self, vectors_ND: Float32) -> None:
        """Search these rows."""
        self._vectors_ND = vectors_ND

    @classmethod
    def build(cls, vectors_ND: Float32) -> Self:
        """Index unit rows."""
        return cls(vectors_ND)

    @classmethod
    def load(cls, _folder: Path, vectors_ND: Float32) -> Self:
        """Need nothing but the vectors."""
        return cls(vectors_ND)

    def save(self, _folder: Path) -> None:
        """Need nothing but the vectors."""

    def digest(self) -> str:
        """Return the SHA-256 of the ``IndexFlatIP`` of these rows as faiss writes it.

        That file was part of bundles of format 2, and names the same index still.
        """
        found = hashlib.sha256()

        def update(part: bytes) -> int:
            found.update(part)
            return len(part)

        index = faiss.IndexFlatIP(self._vectors_ND.shape[1])
        _faiss.IndexFlatIP.add(index, self._vectors_ND)
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(update))
        return found.hexdigest()

    def search(
        self, query_QD: Float32, k: int, selection: Selection | None
    ) -> tuple[Float32, Int64]:
        """Return the ``k`` best of all rows: what ``IndexFlatIP`` does, on our memory.

        The vectors start at a multiple of 64 bytes here, which its own copy does not:
        71,526 x 256, one query 1.75 ms instead of 2.36, 32 queries 56 instead of 77.
        """
        (n, dim), num_queries = self._vectors_ND.shape, len(query_QD)
        scores_QK = np.empty((num_queries, k), np.float32)
        rows_QK = np.empty((num_queries, k), np.int64)
        _faiss.knn_inner_product(
            _faiss.swig_ptr(query_QD),
            _faiss.swig_ptr(self._vectors_ND),
            dim,
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
    """All vectors of a catalogue in the searched space, read only."""

    def __init__(
        self, vectors: Float32, searcher: Searcher, *, kind: str, fingerprint: str
    ) -> None:
        """Put vectors and the way to search them together.

        Args:
            vectors: unit rows in the searched space, shape ``(N, D)``.
            searcher: finds candidates among them.
            kind: its name, one of `INDEX_KINDS`.
            fingerprint: of the corpus whose rows these are.
        """
        self.vectors, self._searcher = vectors, searcher
        self.kind, self.fingerprint = kind, fingerprint

    @classmethod
    def build(cls, vectors: Float32, *, kind: str, fingerprint: str) -> Self:
        """Index the unit rows of a catalogue, shape ``(N, D)``, in the searched space.

        Raises:
            BundleError: the kind is unknown.
        """
        vectors_ND = np.ascontiguousarray(vectors, dtype=np.float32)
        searcher = _kind(kind).build(vectors_ND)
        return cls(vectors_ND, searcher, kind=kind, fingerprint=fingerprint)

    @classmethod
    def load(cls, folder: Path, *, kind: str, fingerprint: str) -> Self:
        """Read it from a bundle's folder; the vectors are mapped into memory.

        Raises:
            BundleError: missing, damaged, or of another kind.
        """
        searcher_kind, vectors_ND = _kind(kind), load_vectors(folder)
        searcher = searcher_kind.load(folder, vectors_ND)
        return cls(vectors_ND, searcher, kind=kind, fingerprint=fingerprint)

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        save_vectors(folder, self.vectors)
        self._searcher.save(folder)

    def digest(self) -> str:
        """Return the SHA-256 of the index, as hexadecimal digits."""
        return self._searcher.digest()

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return int(self.vectors.shape[1])

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
        self, query_QD: Float32, k: int, selection: Selection | None = None
    ) -> list[Found]:
        """Find the rows nearest to each query.

        Args:
            query_QD: unit rows in the searched space.
            k: results for each query, at least 1.
            selection: the rows that may be found; None allows all.

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
            np.ascontiguousarray(query_QD, dtype=np.float32), k, selection
        )
        # the places there is no result for are filled with -1
        return [
            Found(rows[rows >= 0], scores[rows >= 0])
            for rows, scores in zip(rows_QK, scores_QK, strict=True)
        ]

    def scores(self, rows: Int64, query_D: Float32) -> Float32:
        """Score some rows so that equal rows score equal, whatever is beside them.

        The search itself promises that for no more than one call: it changes to a
        matrix product at 20 queries, which rounds differently.
        """
        scores: Float32 = np.einsum("kd,d->k", self.vectors[rows], query_D)
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
