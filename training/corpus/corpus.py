"""A corpus: unique vectors with names, and sequences of rows into them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32, Int64

Kind = Literal["documents", "items"]

_HASH_BLOCK = 1 << 16
# Rows hashed at a time: 64 MiB at D = 256, so a memory-mapped file stays on disk.


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCard:
    """Where a corpus came from; stored beside it and copied into every run."""

    name: str
    """What people call it."""

    encoder: str
    """Name of what made the vectors; "unknown" for vectors that were brought."""

    encoder_version: str | None = None
    """Package and version of what encoded texts; None for all other vectors."""

    encoder_checksum: str | None = None
    """SHA-256 of its weights, by which a service knows that it has the same."""

    source: str
    """Files, folders or packages that it was made from, in words."""

    licenses: dict[str, str] = field(default_factory=dict)
    """Licence of each part: name of the part to licence."""

    windows_declared_independent: bool = False
    """True if windows came without chain ids and the user vouched for them."""

    vectors_split: dict[str, Any] | None = None
    """Seed and shares of the split whose training sequences made the vectors, as
    `SplitConfig` names them; None for vectors that owe nothing to the sequences."""

    origin: dict[str, Any] | None = None
    """What it was made of, as `Origin` of `nextvec.training.corpus.origin` tells it;
    None for a corpus put together by hand, or before this was recorded."""

    recipe: str | None = None
    """Shipped recipe that was chosen for it; None for that of its kind."""

    notes: dict[str, Any] = field(default_factory=dict)
    """What was left out on the way and why: counts by reason."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A catalogue of unit vectors, and sequences of rows into it.

    In ``documents`` each row occurs once, in one document, and the rows of a document
    are contiguous. In ``items`` (sessions) rows recur within and between sequences, and
    an entry is -1 if its item has no vector.
    """

    vectors: Float32
    """The catalogue: unit rows, shape ``(N, D)``; may be memory-mapped."""

    ids: Sequence[str]
    """Unique name of each row, N of them."""

    rows: Int64
    """Rows of all sequences one after the other, shape ``(M,)``; -1, in items only,
    for an item without a vector."""

    offsets: Int64
    """Sequence ``s`` is ``rows[offsets[s]:offsets[s + 1]]``; shape ``(S + 1,)``."""

    document_ids: Sequence[str]
    """Unique name of each sequence, S of them."""

    card: CorpusCard
    """Where it came from."""

    kind: Kind = "documents"
    """Whether a row occurs once (documents) or can recur (items)."""

    texts: Sequence[str] | None = None
    """Text of each row, N of them, where there are any."""

    families: Int64 | None = None
    """Family of each sequence, such as a tune and its variants, which a split keeps
    together, shape ``(S,)``; None: each is alone."""

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        if self.vectors.ndim != 2:
            shape = self.vectors.shape
            msg = f"{self.card.name}: expected vectors (N, D), got shape {shape}"
            raise CorpusError(msg)
        n = len(self.vectors)
        if len(self.ids) != n:
            msg = f"{self.card.name}: {n} vectors but {len(self.ids)} ids"
            raise CorpusError(msg)
        if self.texts is not None and len(self.texts) != n:
            msg = f"{self.card.name}: {n} vectors but {len(self.texts)} texts"
            raise CorpusError(msg)
        if len(self.offsets) != len(self.document_ids) + 1 or (
            self.offsets[0] != 0 or self.offsets[-1] != len(self.rows)
        ):
            msg = (
                f"{self.card.name}: {len(self.document_ids)} documents need "
                f"{len(self.document_ids) + 1} offsets from 0 to {len(self.rows)}"
            )
            raise CorpusError(msg)
        if self.families is not None and len(self.families) != len(self.document_ids):
            msg = (
                f"{self.card.name}: {len(self.document_ids)} documents but "
                f"{len(self.families)} families"
            )
            raise CorpusError(msg)
        least = -1 if self.kind == "items" else 0
        if len(self.rows) and not least <= self.rows.min() <= self.rows.max() < n:
            msg = f"{self.card.name}: a sequence names a row outside {least}..{n - 1}"
            raise CorpusError(msg)
        if (np.diff(self.offsets) <= 0).any():
            empty = self.document_ids[int(np.argmin(np.diff(self.offsets)))]
            msg = f"{self.card.name}: document {empty!r} is empty"
            raise CorpusError(msg)
        for what, names in (("id", self.ids), ("document id", self.document_ids)):
            if len(set(names)) != len(names):
                twice = _first_repeated(names)
                msg = f"{self.card.name}: {what} {twice!r} occurs twice"
                raise CorpusError(msg)

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return int(self.vectors.shape[1])

    @property
    def lengths(self) -> Int64:
        """Number of entries of each sequence, shape ``(S,)``."""
        return np.diff(self.offsets)

    def sequence(self, document: int) -> Int64:
        """Rows of one sequence in order, shape ``(length,)``; -1 without a vector."""
        return self.rows[self.offsets[document] : self.offsets[document + 1]]

    def known(self, document: int) -> Int64:
        """Rows of those entries of a sequence that have a vector, in order."""
        rows = self.sequence(document)
        return rows if self.kind == "documents" else rows[rows >= 0]

    def rows_of(self, documents: Int64) -> Int64:
        """Rows that occur in some sequences, each once, ascending."""
        return np.unique(np.concatenate([self.known(d) for d in documents.tolist()]))

    @cached_property
    def document_of_entry(self) -> Int64:
        """Number of the sequence that each entry belongs to, shape ``(M,)``."""
        return np.repeat(np.arange(len(self.document_ids)), self.lengths)

    @cached_property
    def document_of_row(self) -> Int64:
        """Number of the document that holds each row, -1 for none, shape ``(N,)``.

        For items, where a row can be in many sequences, it is the first.
        """
        return self._of_first_entry(self.document_of_entry)

    @cached_property
    def position_of_row(self) -> Int64:
        """Position of each row in its document, -1 for none, shape ``(N,)``."""
        position_M = np.arange(len(self.rows)) - np.repeat(
            self.offsets[:-1], self.lengths
        )
        return self._of_first_entry(position_M)

    def _of_first_entry(self, value_M: Int64) -> Int64:
        """Value of the first entry that names a row, -1 for none, shape ``(N,)``."""
        value_N = np.full(len(self.vectors), -1, dtype=np.int64)
        # backwards, so that the first entry is written last
        row_M, back_M = self.rows[::-1], value_M[::-1]
        value_N[row_M[row_M >= 0]] = back_M[row_M >= 0]
        return value_N

    @cached_property
    def row_of_id(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.ids)}

    def select(self, documents: Sequence[int] | Int64, *, name: str) -> "Corpus":
        """Return a corpus of some documents only, with the rows they use.

        Args:
            documents: numbers of the documents to keep, in the order to keep them.
            name: name of the new corpus.

        Returns:
            A new corpus whose vectors are a copy.
        """
        rows = np.concatenate([self.sequence(int(d)) for d in documents])
        if self.kind == "documents":
            used, new_rows = rows, np.arange(len(rows))
        else:
            used = np.unique(rows[rows >= 0])
            new_rows = np.where(rows < 0, -1, np.searchsorted(used, rows))
        card = self.card
        numbers = np.asarray(documents)
        lengths = self.lengths[numbers]
        return Corpus(
            vectors=np.asarray(self.vectors[used]),
            ids=[self.ids[r] for r in used],
            rows=new_rows.astype(np.int64),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            document_ids=[self.document_ids[int(d)] for d in documents],
            card=CorpusCard(
                name=name,
                encoder=card.encoder,
                source=card.source,
                licenses=card.licenses,
                windows_declared_independent=card.windows_declared_independent,
                vectors_split=card.vectors_split,
                notes=card.notes,
            ),
            kind=self.kind,
            texts=None if self.texts is None else [self.texts[r] for r in used],
            families=None if self.families is None else self.families[numbers],
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over vectors, sequences, names, families: 64 hexadecimal digits.

        Texts and the card are left out: they change no number.
        """
        digest = hashlib.sha256()
        digest.update(f"{self.kind} {self.vectors.shape}".encode())
        for start in range(0, len(self.vectors), _HASH_BLOCK):
            block = self.vectors[start : start + _HASH_BLOCK]
            digest.update(np.ascontiguousarray(block, dtype="<f4").data)
        for numbers in (self.rows, self.offsets):
            digest.update(np.ascontiguousarray(numbers, dtype="<i8").data)
        for names in (self.ids, self.document_ids):
            digest.update("\0".join(names).encode())
        if self.families is not None:
            # they decide on the split
            digest.update(np.ascontiguousarray(self.families, dtype="<i8").data)
        return digest.hexdigest()


def _first_repeated(names: Sequence[str]) -> str:
    counts = Counter(names)
    return next(name for name in names if counts[name] > 1)
