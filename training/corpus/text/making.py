"""A corpus from text: read, cut into passages, encoded, saved."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nextvec.training.corpus.building import build_corpus
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.origin import Origin, checksum_of_files
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.text.chunking import PASSAGE_WORDS
from nextvec.training.corpus.text.default_encoder import DEFAULT_ENCODER
from nextvec.training.corpus.text.encoders import Encoder, get_encoder
from nextvec.training.corpus.text.passages import parts_from_documents
from nextvec.training.corpus.text.text import Document, read_documents, source_files


def text_origin(
    paths: Sequence[Path],
    *,
    encoder: str = DEFAULT_ENCODER,
    words: int = PASSAGE_WORDS,
    min_coherence: float | None = None,
) -> Origin:
    """Tell what `make_text_corpus` makes a corpus of.

    Raises:
        CorpusError: a file that cannot be read, or a folder without pages.
    """
    return Origin(
        kind="text",
        checksum=checksum_of_files(*source_files(paths)),
        options=text_options(encoder, words, min_coherence),
    )


def text_options(
    encoder: str, words: int, min_coherence: float | None
) -> dict[str, object]:
    """Return what a corpus depends on beside its text, as `Origin` keeps it."""
    return {"encoder": encoder, "words": words, "min_coherence": min_coherence}


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
    # first what is read in a moment: an encoder can take many seconds to load
    documents = read_documents(paths)
    loaded = get_encoder(encoder)
    origin = text_origin(
        paths, encoder=encoder, words=words, min_coherence=min_coherence
    )
    source = ", ".join(map(str, paths))
    return make_document_corpus(
        documents,
        loaded,
        CorpusCard(name=name, encoder=encoder, source=source, origin=origin.to_dict()),
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
    card = replace(
        card, encoder_version=encoder.version, encoder_checksum=encoder.checksum
    )
    parts = parts_from_documents(
        documents, encoder, source=card.name, words=words, progress=progress
    )
    return build_corpus(
        parts, card, folder, min_coherence=min_coherence, progress=progress
    )
