"""A corpus from text: read, cut into passages, encoded, saved."""

from collections.abc import Sequence
from pathlib import Path

from training.corpus.building import build_corpus
from training.corpus.corpus import Corpus, CorpusCard
from training.corpus.parts import Progress, ignore_progress
from training.corpus.text.chunking import PASSAGE_WORDS
from training.corpus.text.encoders import DEFAULT_ENCODER, Encoder, get_encoder
from training.corpus.text.passages import parts_from_documents
from training.corpus.text.text import Document, read_documents


def make_text_corpus(
    paths: Sequence[Path],
    folder: Path,
    *,
    name: str,
    encoder: str = DEFAULT_ENCODER,
    words: int = PASSAGE_WORDS,
    min_coherence: float | None = None,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Make a corpus from pages and files of documents.

    Args:
        paths: folders of pages and ``.jsonl`` files, as `read_documents` takes them.
        folder: where the corpus goes; an older one is replaced.
        name: what people call it.
        encoder: name of what makes the vectors, as `get_encoder` takes it.
        words: number of words that a passage aims at.
        min_coherence: as in `build_corpus`.
        progress: told after each step.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: no such encoder, unreadable text, or too little of it; nothing is
            written.
    """
    loaded = get_encoder(encoder)
    source = ", ".join(map(str, paths))
    return make_document_corpus(
        read_documents(paths),
        loaded,
        CorpusCard(name=name, encoder=encoder, source=source),
        folder,
        words=words,
        min_coherence=min_coherence,
        progress=progress,
    )


def make_document_corpus(
    documents: Sequence[Document],
    encoder: Encoder,
    card: CorpusCard,
    folder: Path,
    *,
    words: int,
    min_coherence: float | None,
    progress: Progress,
) -> Corpus:
    """Make a corpus from documents that were read already.

    Args:
        documents: names and prose.
        encoder: what makes the vectors.
        card: where they come from.
        folder: where the corpus goes; an older one is replaced.
        words: number of words that a passage aims at.
        min_coherence: as in `build_corpus`.
        progress: told after each step.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: too little text; nothing is written.
    """
    parts = parts_from_documents(
        documents, encoder, source=card.name, words=words, progress=progress
    )
    return build_corpus(
        parts, card, folder, min_coherence=min_coherence, progress=progress
    )
