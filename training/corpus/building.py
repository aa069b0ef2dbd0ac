"""The last step of every source: documents that occur once, saved as a corpus."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from nextvec.training.array_files import new_array
from nextvec.training.corpus.coherence import (
    coherent_documents,
    mean_coherence,
)
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.parts import Parts, Progress, ignore_progress
from nextvec.training.corpus.store import save_streamed
from nextvec.training.corpus.unique import unique_documents
from nextvec.training.disk import require_space
from nextvec.training.errors import CorpusError
from nextvec.training.folders import only_writer
from nextvec.training.vectors import (
    CONTEXT_LENGTH,
    Float32,
    Int64,
    l2_normalize,
)

LONG_DOCUMENT = CONTEXT_LENGTH + 1
"""Entries of the shortest document that holds a full context and its target."""

_BLOCK = 4096
# Rows made or normalized at a time: 12 MiB at D = 768.


def require_long_document(lengths: Int64, source: str) -> None:
    """Refuse documents none of which holds a full window.

    Args:
        lengths: entries of each document, shape ``(S,)``.
        source: name of the file or folder, for the message.

    Raises:
        CorpusError: no document of at least 101 entries; names the longest.
    """
    longest = int(lengths.max(initial=0))
    if longest < LONG_DOCUMENT:
        msg = (
            f"{source}: no document is long enough: expected at least one of "
            f"{LONG_DOCUMENT} entries ({CONTEXT_LENGTH} of context and a target), "
            f"the longest of {len(lengths)} has {longest}"
        )
        raise CorpusError(msg)


def build_corpus(
    parts: Parts,
    card: CorpusCard,
    folder: Path,
    *,
    min_coherence: float | None = None,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Drop duplicates, optionally incoherent documents, and save what is left.

    Args:
        parts: documents and how to read their vectors.
        card: where they come from; counts are added to its notes.
        folder: where the corpus goes; an older one is replaced.
        min_coherence: least mean cosine of a document's neighbors in [-1, 1]; None
            keeps all documents.
        progress: told after each block.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: names that occur twice, or no document of 101 entries is left;
            nothing is written.
    """
    require_long_document(parts.lengths, parts.name)
    unique = unique_documents(
        parts.keys,
        parts.lengths,
        progress=partial(progress, "finding duplicate documents"),
    )
    lengths = parts.lengths[unique.kept]
    require_long_document(lengths, f"{parts.name}, duplicates left out")
    notes = card.notes | {
        **parts.notes,
        "documents_found": len(parts.lengths),
        "entries_found": int(parts.lengths.sum()),
        "duplicate_documents_left_out": unique.num_dropped,
        "duplicate_entries_left_out": int(parts.lengths.sum() - lengths.sum()),
    }
    shape = (int(lengths.sum()), parts.dim)
    # the rows and, unless most documents are incoherent, as much again for the corpus
    copies = 2 if min_coherence is None else 1
    num_bytes = copies * shape[0] * shape[1] * np.dtype(np.float32).itemsize
    require_space(folder, num_bytes, "the corpus")
    with scratch_folder(folder, "rows") as scratch:
        vectors = new_array(scratch / "vectors.npy", np.float32, shape)
        corpus = _assemble(parts, unique.kept, vectors, card)
        done = 0
        for start, stop in _blocks(parts.lengths, unique.kept):
            vectors[done : done + stop - start] = l2_normalize(parts.read(start, stop))
            done += stop - start
            progress("making vectors", done, len(vectors))
        kept = np.arange(len(lengths))
        if min_coherence is not None:
            kept = coherent_documents(corpus, min_coherence)
            least = (
                f"{parts.name}, documents of coherence below {min_coherence} left out"
            )
            require_long_document(lengths[kept], least)
            notes |= {
                "min_coherence": min_coherence,
                "incoherent_documents_left_out": len(lengths) - len(kept),
            }
        notes["mean_coherence"] = mean_coherence(corpus, kept)
        notes["long_documents"] = int((lengths[kept] >= LONG_DOCUMENT).sum())
        card = replace(card, notes=notes)
        shape = (int(lengths[kept].sum()), parts.dim)
        empty = np.broadcast_to(np.float32(0), shape)
        return save_streamed(
            _assemble(parts, unique.kept[kept], empty, card),
            (vectors[start:stop] for start, stop in _blocks(lengths, kept)),
            folder,
        )


def _assemble(
    parts: Parts, documents: Int64, vectors: Float32, card: CorpusCard
) -> Corpus:
    """Put some documents of the parts and their vectors together."""
    first = np.cumsum(parts.lengths) - parts.lengths
    lengths = parts.lengths[documents]
    ids, texts = [], []
    for document in documents:
        entries = range(first[document], first[document] + parts.lengths[document])
        if parts.ids is None:
            name = parts.document_ids[document]
            ids += [f"{name}#{position}" for position in range(len(entries))]
        else:
            ids += [parts.ids[entry] for entry in entries]
        if parts.texts is not None:
            texts += [parts.texts[entry] for entry in entries]
    return Corpus(
        vectors=vectors,
        ids=ids,
        rows=np.arange(len(vectors)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        document_ids=[parts.document_ids[d] for d in documents],
        card=card,
        texts=None if parts.texts is None else texts,
    )


def _blocks(lengths: Int64, documents: Int64) -> Iterator[tuple[int, int]]:
    """Cut the entries of some documents into ranges of a limited size, in order."""
    stops = np.cumsum(lengths)
    start = stop = 0
    for document in documents:
        first = int(stops[document] - lengths[document])
        if first != stop:
            yield from _cut(start, stop)
            start = first
        stop = int(stops[document])
    yield from _cut(start, stop)


def _cut(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, _BLOCK):
        yield first, min(first + _BLOCK, stop)


@contextmanager
def scratch_folder(folder: Path, purpose: str) -> Iterator[Path]:
    """Yield an empty folder on the disk of ``folder`` that goes afterwards.

    What a killed process left for the same purpose goes first.

    Raises:
        ProjectError: `only_writer` refuses ``folder``.
    """
    folder = folder.resolve()
    scratch = folder.with_name(f".{folder.name}.{purpose}.scratch")
    with only_writer(folder):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
