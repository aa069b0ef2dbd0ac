"""Windows: a context of up to 100 rows, and the row that comes after it."""

from dataclasses import dataclass

import numpy as np

from nextvec.training.corpus.corpus import Corpus, Kind
from nextvec.training.vectors import CONTEXT_LENGTH, Float32, Int64

MIN_ITEM_CONTEXT = 20
# Sessions are shorter than documents (evaluation protocol, item sequences).


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Contexts and targets, as rows of one catalogue."""

    context_rows: Int64
    """Rows of each context, oldest first, padded at the end with -1; ``(Q, T)``."""

    lengths: Int64
    """Vectors in each context, 1 to T; shape ``(Q,)``."""

    target_rows: Int64
    """The row after each context, -1 if it has no vector; shape ``(Q,)``."""

    documents: Int64
    """Document of each window; shape ``(Q,)``."""

    positions: Int64
    """Position of each target in its document; shape ``(Q,)``."""

    def __len__(self) -> int:
        """Return the number of windows, Q."""
        return len(self.target_rows)

    def take(self, chosen: Int64 | np.ndarray) -> "Windows":
        """Return some of the windows, by number or by mask."""
        return Windows(
            context_rows=self.context_rows[chosen],
            lengths=self.lengths[chosen],
            target_rows=self.target_rows[chosen],
            documents=self.documents[chosen],
            positions=self.positions[chosen],
        )

    def truncated(self, length: int) -> "Windows":
        """Return the same windows with only the newest ``length`` vectors each."""
        kept = np.minimum(self.lengths, length)
        columns = np.arange(length)[None, :]
        source = np.minimum(columns + (self.lengths - kept)[:, None], self.width - 1)
        rows = np.take_along_axis(self.context_rows, source, axis=1)
        rows = np.where(columns < kept[:, None], rows, -1)
        return Windows(
            context_rows=rows,
            lengths=kept,
            target_rows=self.target_rows,
            documents=self.documents,
            positions=self.positions,
        )

    def known(self, part: slice) -> list[Int64]:
        """Return the rows of some contexts, each without its padding, ``(T,)``."""
        rows_QT, length_Q = self.context_rows[part], self.lengths[part]
        return [
            rows_T[:length] for rows_T, length in zip(rows_QT, length_Q, strict=True)
        ]

    @property
    def width(self) -> int:
        """Columns of the contexts, T."""
        return int(self.context_rows.shape[1])

    def contexts(self, vectors: Float32) -> Float32:
        """Return the context vectors, shape ``(Q, T, D)``, zero where padded."""
        context_QTD = vectors[np.maximum(self.context_rows, 0)]
        context_QTD[self.context_rows < 0] = 0
        return np.asarray(context_QTD)


def min_context(kind: Kind, context_length: int = CONTEXT_LENGTH) -> int:
    """Vectors of context that a window needs: all of them, in items 20."""
    if kind == "documents":
        return context_length
    return min(MIN_ITEM_CONTEXT, context_length)


def cut_windows(
    corpus: Corpus,
    documents: Int64,
    *,
    stride: int = 10,
    context_length: int = CONTEXT_LENGTH,
) -> Windows:
    """Cut the evaluation windows of some documents.

    Args:
        corpus: where the documents are.
        documents: their numbers.
        stride: entries between the targets of two windows of a document, at least 1.
        context_length: vectors of context, all of them needed in documents; in items
            20 are enough, and entries without a vector are no context.

    Returns:
        Every window that lies whole inside one of the documents, maybe none. The target
        is -1 if it has no vector.
    """
    if stride < 1:
        msg = f"stride must be at least 1, got {stride}"
        raise ValueError(msg)
    shortest = min_context(corpus.kind, context_length)
    rows, lengths, targets, owners, positions = [], [], [], [], []
    for document in documents.tolist():
        sequence = corpus.sequence(document)
        known = corpus.known(document)
        # entries with a vector before each position
        num_known = np.concatenate([[0], np.cumsum(sequence >= 0)])
        for target in range(shortest, len(sequence), stride):
            stop = int(num_known[target])
            if stop < shortest:
                continue
            context = known[max(0, stop - context_length) : stop]
            padded = np.full(context_length, -1, dtype=np.int64)
            padded[: len(context)] = context
            rows.append(padded)
            lengths.append(len(context))
            targets.append(sequence[target])
            owners.append(document)
            positions.append(target)
    return Windows(
        context_rows=np.array(rows, dtype=np.int64).reshape(-1, context_length),
        lengths=np.array(lengths, dtype=np.int64),
        target_rows=np.array(targets, dtype=np.int64),
        documents=np.array(owners, dtype=np.int64),
        positions=np.array(positions, dtype=np.int64),
    )
