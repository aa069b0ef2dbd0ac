"""Names of the rows of an index: ids, documents, positions and texts."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np

from nextvec.app.bundle.neighbor import Neighbor
from nextvec.app.bundle.searcher import Selection
from nextvec.training.corpus.corpus import Corpus, Kind
from nextvec.training.errors import BundleError
from nextvec.training.files import read_json, write_json
from nextvec.training.vectors import Int64

FILES: Final = ("ids.json", "document_ids.json", "documents.npy", "positions.npy")
TEXTS: Final = "texts.json"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What the rows of an index are called."""

    kind: Kind
    """Whether a row occurs once (documents) or can recur (items)."""

    ids: Sequence[str]
    """Unique name of each row, N of them."""

    document_ids: Sequence[str]
    """Unique name of each document."""

    documents: Int64
    """Number of the document that holds each row, -1 for none; shape ``(N,)``."""

    positions: Int64
    """Position of each row in its document, -1 for none; shape ``(N,)``."""

    texts: Sequence[str] | None
    """Text of each row, where there are any."""

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        found = {"documents": len(self.documents), "positions": len(self.positions)}
        if self.texts is not None:
            found["texts"] = len(self.texts)
        for what, count in found.items():
            if count != len(self):
                msg = f"{len(self)} ids, but {count} {what}"
                raise BundleError(msg)
        if len(self) and self.documents.max() >= len(self.document_ids):
            most = len(self.document_ids)
            msg = f"a row names document {self.documents.max()}, there are {most}"
            raise BundleError(msg)

    def __len__(self) -> int:
        """Return the number of rows, N."""
        return len(self.ids)

    @classmethod
    def of(cls, corpus: Corpus) -> "Catalogue":
        """Take the names out of a corpus."""
        return cls(
            kind=corpus.kind,
            ids=corpus.ids,
            document_ids=corpus.document_ids,
            documents=corpus.document_of_row,
            positions=corpus.position_of_row,
            texts=corpus.texts,
        )

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        write_json(folder / "ids.json", list(self.ids))
        write_json(folder / "document_ids.json", list(self.document_ids))
        np.save(folder / "documents.npy", self.documents)
        np.save(folder / "positions.npy", self.positions)
        if self.texts is not None:
            write_json(folder / TEXTS, list(self.texts))

    @classmethod
    def load(cls, folder: Path, kind: Kind) -> "Catalogue":
        """Read it from a bundle's folder.

        Raises:
            BundleError: missing, damaged, or parts that do not fit.
        """
        texts = folder / TEXTS
        try:
            return cls(
                kind=kind,
                ids=read_json(folder / "ids.json"),
                document_ids=read_json(folder / "document_ids.json"),
                documents=np.load(folder / "documents.npy", allow_pickle=False),
                positions=np.load(folder / "positions.npy", allow_pickle=False),
                texts=read_json(texts) if texts.exists() else None,
            )
        except (OSError, ValueError) as error:
            msg = f"{folder}: the names of the rows are damaged: {error}"
            raise BundleError(msg) from error

    @cached_property
    def row_of_id(self) -> dict[str, int]:
        """Row of each name."""
        return dict(zip(self.ids, range(len(self)), strict=True))

    def prepare(self) -> None:
        """Make what names are looked up in, which the first query would wait for.

        A million names take half a second.
        """
        _ = self.row_of_id, self.number_of_document, self._sorted_ids

    def nearest_id(self, name: str) -> str | None:
        """Return a name that is there and begins as another one does.

        Args:
            name: of no row.

        Returns:
            Of its neighbors in the order of names that with the longer common
            beginning; None if neither shares a character.
        """
        names = self._sorted_ids
        at = bisect_left(names, name)
        near = {n: _shared(n, name) for n in names[max(0, at - 1) : at + 1]}
        best = max(near, key=lambda one: near[one], default=None)
        return best if best is not None and near[best] else None

    @cached_property
    def _sorted_ids(self) -> list[str]:
        return sorted(self.ids)

    @cached_property
    def number_of_document(self) -> dict[str, int]:
        """Number of each document."""
        return {name: number for number, name in enumerate(self.document_ids)}

    def select(
        self, documents: Sequence[int] | None, exclude_documents: Sequence[int]
    ) -> Selection | None:
        """Select rows by document.

        Args:
            documents: numbers of the only documents allowed; None allows all.
            exclude_documents: numbers of documents that are not.

        Returns:
            None if nothing is restricted.
        """
        if documents is None and not exclude_documents:
            return None
        # one place more: a row of no document has number -1
        allowed = np.zeros(len(self.document_ids) + 1, dtype=bool)
        allowed[slice(None) if documents is None else np.array(documents)] = True
        allowed[np.array(exclude_documents, dtype=np.int64)] = False
        return Selection(allowed[self.documents])

    def describe(
        self, row: int, score: float, cosine: float | None, *, with_text: bool
    ) -> Neighbor:
        """Return a row as a neighbor in an answer; items belong to no one document."""
        in_document = self.kind == "documents" and self.documents[row] >= 0
        neighbor: Neighbor = {
            "id": self.ids[row],
            "document": (
                self.document_ids[self.documents[row]] if in_document else None
            ),
            "position": int(self.positions[row]) if in_document else None,
            "score": round(score, 6),
            "cosine": None if cosine is None else round(cosine, 6),
        }
        if with_text and self.texts is not None:
            neighbor["text"] = self.texts[row]
        return neighbor


def _shared(one: str, other: str) -> int:
    """Count the characters that two names have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
