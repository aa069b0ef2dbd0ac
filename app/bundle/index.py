"""The index: search by inner product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from nextvec.app.bundle.flat import FlatSearcher
from nextvec.app.bundle.screened import ScreenedSearcher
from nextvec.app.bundle.searcher import (
    Candidates,
    Searcher,
    Selection,
    exact_scores,
    results,
)
from nextvec.app.bundle.vectors import as_queries, as_rows, load_rows, save_rows
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.vectors import Float32, Int64


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found for one query, best first."""

    rows: Int64
    """Row numbers; never -1."""

    scores: Float32
    """Score of each, higher is better: cosine in the searched space less beta times its
    hubness."""


INDEX_KINDS: Final[Mapping[str, type[Searcher]]] = {
    "flat-int8": ScreenedSearcher,
    "flat": FlatSearcher,
}
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
        searcher = _kind(kind).build(row_NC, dim)
        return cls(row_NC, searcher, dim=dim, kind=kind, fingerprint=fingerprint)

    @classmethod
    def load(cls, folder: Path, *, dim: int, kind: str, fingerprint: str) -> Self:
        """Read it from a bundle's folder; the rows are mapped into memory.

        Raises:
            BundleError: missing, damaged, or of another kind or length.
        """
        searcher_kind, row_NC = _kind(kind), load_rows(folder, dim)
        searcher = searcher_kind.load(folder, row_NC, dim)
        return cls(row_NC, searcher, dim=dim, kind=kind, fingerprint=fingerprint)

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        save_rows(folder, self._row_NC)
        self._searcher.save(folder)

    def prepare(self) -> None:
        """Do now what the first search would do, where nobody waits for it."""
        self._searcher.prepare()

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

    def count(self, selection: Selection | None) -> int:
        """Return how many rows a search can find at most."""
        return len(self) if selection is None else selection.count

    def candidates(
        self,
        query_QD: Float32,
        k: int,
        selections: Sequence[Selection | None],
        *,
        beta: float = 0.0,
    ) -> list[Candidates]:
        """Find rows that may have the highest scores for each query, the fastest way.

        Args:
            query_QD: predictions in the searched space.
            k: rows for each query, at least 1; fewer where there are fewer.
            selections: the rows that may be found for each; None allows all.
            beta: share of its hubness that a row scores less; 0 is plain cosine.

        Returns:
            For each query some rows, and what no other can exceed.
        """
        most = max(map(self.count, selections), default=0)
        return self._searcher.candidates(
            as_queries(query_QD, beta), max(1, min(k, most)), selections
        )

    def best(
        self, query_D: Float32, k: int, selection: Selection | None, *, beta: float
    ) -> Candidates:
        """Find the rows with the highest scores for a query, as `search` does."""
        k = max(1, min(k, self.count(selection)))
        query_1C = as_queries(query_D[None], beta)
        return results(self._searcher, query_1C, k, selection)[0]

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
        k = min(k, self.count(selection))
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
        """Score some rows so that equal rows score equal (`exact_scores`)."""
        return exact_scores(self._row_NC[rows], as_queries(query_D[None], beta)[0])


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


def index_files(kind: str) -> tuple[str, ...]:
    """Return the names of the files that an index of a kind keeps in a bundle.

    Raises:
        BundleError: the kind is unknown.
    """
    return _kind(kind).files


def _kind(name: str) -> type[Searcher]:
    if name not in INDEX_KINDS:
        msg = f"index kind must be one of {', '.join(INDEX_KINDS)}, got {name!r}"
        raise BundleError(msg)
    return INDEX_KINDS[name]
