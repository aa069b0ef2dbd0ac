"""Documents cut into passages, whose vectors are made when they are read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextvec.training.corpus.parts import Parts, Progress, ignore_progress
from nextvec.training.corpus.text.chunking import PASSAGE_WORDS, split_passages
from nextvec.training.corpus.text.encoders import Encoder
from nextvec.training.corpus.text.text import Document
from nextvec.training.corpus.unique import text_keys
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import check_vectors


def parts_from_documents(
    documents: Sequence[Document],
    encoder: Encoder,
    *,
    source: str,
    words: int = PASSAGE_WORDS,
    progress: Progress = ignore_progress,
) -> Parts:
    """Cut documents into passages, to be encoded when they are read.

    Args:
        documents: names and prose; those without a word are left out.
        encoder: what makes the vectors.
        source: name of the file or folder, for messages.
        words: number of words that a passage aims at.
        progress: told after each document.

    Raises:
        CorpusError: no document has a word.
    """
    names, lengths, texts = [], [], []
    for number, document in enumerate(documents):
        passages = split_passages(document.text, words=words)
        if passages:
            names.append(document.id)
            lengths.append(len(passages))
            texts += passages
        progress("cutting passages", number + 1, len(documents))
    if not names:
        msg = f"{source}: expected documents with text, found none with a word in it"
        raise CorpusError(msg)

    def encode(start: int, stop: int) -> NDArray[np.floating]:
        vectors = encoder.encode(texts[start:stop])
        where = f"{source}: passages encoded by {encoder.name}"
        return check_vectors(vectors, source=where, dim=encoder.dim, first_row=start)

    return Parts(
        name=source,
        document_ids=names,
        lengths=np.array(lengths),
        keys=text_keys(texts),
        dim=encoder.dim,
        read=encode,
        texts=texts,
        notes={"documents_without_text_left_out": len(documents) - len(names)},
    )
