"""Corpora from what a program holds in memory."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
from numpy.typing import ArrayLike

from nextvec.training.corpus.store import corpus_name
from nextvec.training.corpus.text.chunking import PASSAGE_WORDS
from nextvec.training.corpus.text.default_encoder import DEFAULT_ENCODER
from nextvec.training.corpus.text.making import make_text_corpus as _from_text
from nextvec.training.corpus.vectors.making import make_vector_corpus
from nextvec.training.errors import CorpusError, ProjectError


def make_corpus(
    folder: str | Path,
    vectors: ArrayLike,
    document_ids: Sequence[str] | Sequence[int],
    *,
    texts: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    name: str | None = None,
    encoder: str = "unknown",
    replace: bool = False,
) -> Path:
    """Make a corpus of documents from vectors.

    Args:
        folder: where it goes.
        vectors: shape ``(N, D)``, any float dtype, documents one after the other and
            each in its own order; of any length above zero.
        document_ids: document of each vector, N of them.
        texts: text of each vector, N of them.
        ids: unique name of each vector, N of them; None numbers those of a document.
        name: what people call it; None takes that of the folder.
        encoder: name of what made the vectors, for the card.
        replace: put it in the place of a corpus that is there.

    Returns:
        The folder.

    Raises:
        NextvecError: something is there, the parts do not fit, a vector is zero or not
            finite, or no document has 101 vectors.
    """
    folder = Path(folder)
    _require_room(folder, replace=replace)
    arrays: dict[str, np.ndarray] = {
        "vectors": np.asarray(vectors),
        "document_ids": np.asarray(document_ids),
        **({} if texts is None else {"texts": np.asarray(texts)}),
        **({} if ids is None else {"ids": np.asarray(ids)}),
    }
    with TemporaryDirectory() as scratch:
        # through the reader of files, which checks everything
        path = Path(scratch) / "arrays.npz"
        np.savez(path, allow_pickle=False, **arrays)
        try:
            make_vector_corpus(
                [path], folder, name=name or folder.name, encoder=encoder
            )
        except ProjectError as error:
            # of the file nobody but this function knows
            raise type(error)(str(error).replace(f"{path}: ", "")) from error
    return folder


def make_text_corpus(
    folder: str | Path,
    documents: dict[str, str],
    *,
    name: str | None = None,
    encoder: str = DEFAULT_ENCODER,
    words: int = PASSAGE_WORDS,
    replace: bool = False,
) -> Path:
    """Make a corpus from texts: cut into passages, and encoded.

    Args:
        folder: where it goes.
        documents: text of each document by its name; an empty line ends a paragraph.
        name: what people call it; None takes that of the folder.
        encoder: ``wordllama``, or ``sentence-transformers:<model or path>``.
        words: number of words that a passage aims at.
        replace: put it in the place of a corpus that is there.

    Returns:
        The folder.

    Raises:
        NextvecError: something is there, no such encoder, or too little text.
    """
    folder = Path(folder)
    _require_room(folder, replace=replace)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "documents.jsonl"
        lines = [{"document_id": key, "text": text} for key, text in documents.items()]
        path.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
        _from_text(
            [path], folder, name=name or folder.name, encoder=encoder, words=words
        )
    return folder


def _require_room(folder: Path, *, replace: bool) -> None:
    there = corpus_name(folder)
    if there is not None and not replace:
        msg = f"{folder}: corpus {there} is there; replace=True makes it again"
        raise CorpusError(msg)
