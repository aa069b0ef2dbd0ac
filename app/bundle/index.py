"""The index: exact search by inner product. The only module that knows faiss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from training.errors import BundleError, IndexMismatchError
from training.vectors import Float32, Int64

_faiss: Final[Any] = faiss
# Its stubs know the signatures of C++ only, not those of its Python wrappers.

INDEX_KINDS: Final[Mapping[str, Callable[[int], Any]]] = {"flat": faiss.IndexFlatIP}
"""What a bundle may name as its kind: a function from dim to an empty index.

flat: exact inner product, every vector compared with every query.
"""


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
        self.parameters = _faiss.SearchParameters(sel=_faiss.IDSelectorBitmap(bits))


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found for one query, best first."""

    rows: Int64
    """Row numbers; never -1."""

    scores: Float32
    """Cosine similarity of each in the searched space, higher is closer."""


class NeighborIndex:
    """All vectors of a catalogue in the searched space, read only."""

    def __init__(self, index: Any, *, kind: str, fingerprint: str) -> None:  # noqa: ANN401 - faiss has no types
        """Wrap a filled faiss index.

        Args:
            index: the faiss index.
            kind: one of `INDEX_KINDS`.
            fingerprint: of the corpus whose rows these are.
        """
        self._index, self.kind, self.fingerprint = index, kind, fingerprint
        size = int(index.ntotal) * int(index.d)
        # A view of faiss' own memory: a copy would double what the service needs.
        flat: Float32 = faiss.rev_swig_ptr(index.get_xb(), size)
        self.vectors: Float32 = flat.reshape(int(index.ntotal), int(index.d))

    @classmethod
    def build(cls, vectors: Float32, *, kind: str, fingerprint: str) -> Self:
        """Index the unit rows of a catalogue, shape ``(N, D)``, in the searched space.

        Raises:
            BundleError: the kind is unknown.
        """
        index = _maker(kind)(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index, kind=kind, fingerprint=fingerprint)

    @classmethod
    def load(cls, path: Path, *, kind: str, fingerprint: str) -> Self:
        """Read an index file.

        Raises:
            BundleError: missing, damaged, or of another kind.
        """
        expected = type(_maker(kind)(1))
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            msg = f"{path}: not a readable index: {str(error).splitlines()[-1]}"
            raise BundleError(msg) from error
        if type(index) is not expected:
            found = type(index).__name__
            msg = f"{path}: expected {expected.__name__} (kind {kind}), got {found}"
            raise BundleError(msg)
        return cls(index, kind=kind, fingerprint=fingerprint)

    def save(self, path: Path) -> None:
        """Write the index file."""
        faiss.write_index(self._index, str(path))

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
            For each query ``k`` results, best first; fewer only where there are fewer
            candidates. Equal scores are in no particular order (`find_neighbors`).
        """
        k = min(k, self.candidates(selection))
        if k == 0:
            nothing = Found(np.empty(0, np.int64), np.empty(0, np.float32))
            return [nothing] * len(query_QD)
        parameters = None if selection is None else selection.parameters
        scores_QK, rows_QK = self._index.search(
            np.ascontiguousarray(query_QD), k, params=parameters
        )
        # faiss fills the places it has no result for with -1
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


def _maker(kind: str) -> Callable[[int], Any]:
    if kind not in INDEX_KINDS:
        msg = f"index kind must be one of {', '.join(INDEX_KINDS)}, got {kind!r}"
        raise BundleError(msg)
    return INDEX_KINDS[kind]
