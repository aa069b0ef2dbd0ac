"""Names of the rows of an index: ids, documents, positions and texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nextvec.app.bundle.mapped import mapped
from nextvec.app.bundle.names import Names, Strings, name_files, string_files
from nextvec.app.bundle.neighbor import Neighbor
from nextvec.app.bundle.searcher import Selection
from nextvec.training.array_files import save_array
from nextvec.training.corpus.corpus import Corpus, Kind
from nextvec.training.errors import BundleError
from nextvec.training.vectors import Int64

_IDS: Final = "ids"
_DOCUMENT_IDS: Final = "document_ids"
_TEXTS: Final = "texts"
_DOCUMENTS: Final = "documents.npy"
_POSITIONS: Final = "positions.npy"

FILES: Final = (
    *name_files(_IDS),
    *name_files(_DOCUMENT_IDS),
    _DOCUMENTS,
    _POSITIONS,
)
"""Names of what `Catalogue.save` writes always."""

TEXT_FILES: Final = string_files(_TEXTS)
"""Names of what it writes beside them, where the corpus has texts."""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What the rows of an index are called."""

    kind: Kind
    """Whether a row occurs once (documents) or can recur (items)."""

    ids: Names
    """Name of each row, N of them."""

    document_ids: Names
    """Name of each document."""

    documents: Int64
    """Number of the document that holds each row, -1 for none; shape ``(N,)``."""

    positions: Int64
    """Position of each row in its document, -1 for none; shape ``(N,)``."""

    texts: Strings | None
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
            ids=Names.of(corpus.ids),
            document_ids=Names.of(corpus.document_ids),
            documents=corpus.document_of_row,
            positions=corpus.position_of_row,
            texts=None if corpus.texts is None else Strings.of(corpus.texts),
        )

    def save(self, folder: Path) -> None:
        """Write it into a bundle's folder."""
        self.ids.save(folder, _IDS)
        self.document_ids.save(folder, _DOCUMENT_IDS)
        save_array(folder / _DOCUMENTS, self.documents)
        save_array(folder / _POSITIONS, self.positions)
        if self.texts is not None:
            self.texts.save(folder, _TEXTS)

    @classmethod
    def load(cls, folder: Path, kind: Kind) -> "Catalogue":
        """Map what `save` wrote into memory.

        Raises:
            BundleError: missing, damaged, or parts that do not fit.
        """
        has_texts = (folder / TEXT_FILES[0]).exists()
        return cls(
            kind=kind,
            ids=Names.load(folder, _IDS),
            document_ids=Names.load(folder, _DOCUMENT_IDS),
            documents=mapped(folder / _DOCUMENTS, "documents", np.int64, (None,)),
            positions=mapped(folder / _POSITIONS, "positions", np.int64, (None,)),
            texts=Strings.load(folder, _TEXTS) if has_texts else None,
        )

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
