"""What turns texts into vectors: one small interface, and a default without download.

A further encoder is a class with the members of `Encoder` and a line in
`_ENCODERS`; one that takes a model name (``family:model``) has its line in `_FAMILIES`.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nextvec.training.corpus.text.default_encoder import DEFAULT_ENCODER
from nextvec.training.corpus.text.sentence_encoders import (
    FAMILY,
    SentenceTransformersEncoder,
)
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32


class Encoder(Protocol):
    """Turns texts into vectors; the same text gives the same vector in any batch.

    Up to the rounding of float32 where an encoder pads; its ``encode`` says so then.
    """

    @property
    def name(self) -> str:
        """Name for the card; `get_encoder` takes it."""

    @property
    def dim(self) -> int:
        """Length D of its vectors."""

    @property
    def version(self) -> str:
        """Package and version of the code that encodes."""

    @property
    def checksum(self) -> str:
        """SHA-256 of its weights, in hexadecimal digits."""

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts; shape ``(n, D)``, of any length above zero."""


class WordLlamaEncoder:
    """Means of 256-d static token vectors; the weights come inside the package.

    WordLlama, https://github.com/dleemiller/WordLlama, licence MIT.
    """

    name = "wordllama"

    def __init__(self) -> None:
        """Load the weights from the installed package.

        Raises:
            CorpusError: the package lacks its weights.
        """
        model = _load_wordllama()
        self._tokenizer = model.tokenizer
        self._tokenizer.no_padding()
        self._tokens_VD: Float32 = model.embedding

    @property
    def dim(self) -> int:
        """Length D of its vectors: 256."""
        return int(self._tokens_VD.shape[1])

    @property
    def version(self) -> str:
        """Package and version of the code that encodes."""
        return f"wordllama {version('wordllama')}"

    @property
    def checksum(self) -> str:
        """SHA-256 of its weights, in hexadecimal digits."""
        return hashlib.sha256(self._tokens_VD.tobytes()).hexdigest()

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts as the mean of their tokens' vectors.

        Args:
            texts: any number of texts.

        Returns:
            Shape ``(n, 256)``, not normalized; a text without a token gives zeros.
        """
        vectors_ND = np.zeros((len(texts), self.dim), dtype=np.float32)
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        # Text by text, without padding: half the time of the package's own batches,
        # and the sum cannot depend on who else is in the batch.
        for row, tokens in enumerate(found):
            if tokens.ids:
                vectors_ND[row] = self._tokens_VD[tokens.ids].mean(axis=0)
        return vectors_ND


_ENCODERS: dict[str, Callable[[], Encoder]] = {"wordllama": WordLlamaEncoder}

_FAMILIES: dict[str, Callable[[str], Encoder]] = {FAMILY: SentenceTransformersEncoder}


def get_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Load an encoder by name.

    Args:
        name: as written in a corpus card: ``wordllama``, or
            ``sentence-transformers:`` and the name or the folder of a model.

    Raises:
        CorpusError: no such encoder (names those there are), or it cannot be loaded.
    """
    family, _, model = name.partition(":")
    with _root_logger_kept():
        if name in _ENCODERS:
            return _ENCODERS[name]()
        if family in _FAMILIES and model:
            return _FAMILIES[family](model)
    known = [*sorted(_ENCODERS), *(f"{other}:<model or path>" for other in _FAMILIES)]
    msg = f"no encoder named {name!r}; there are: {', '.join(known)}"
    raise CorpusError(msg)


def _load_wordllama() -> Any:  # noqa: ANN401 - the package has no types
    # Half a second to import, and it configures logging: only when it is needed.
    import wordllama  # noqa: PLC0415

    # The folder of the package is laid out like its download cache (weights/ and
    # tokenizers/); given as one, it is all that is looked at.
    folder = Path(wordllama.__file__).parent
    try:
        return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    except (FileNotFoundError, ValueError) as error:
        msg = f"the wordllama package lacks its weights, install it again: {error}"
        raise CorpusError(msg) from error


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Undo what the import of an encoder's package does to the root logger."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
