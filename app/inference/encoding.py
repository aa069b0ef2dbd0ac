"""Texts of a question, encoded as the corpus was, in a thread of their own."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakValueDictionary

import numpy as np

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.manifest import EncoderFacts
from nextvec.app.errors import InvalidContextError, NoEncoderError, NotApplicableError
from nextvec.training.corpus.text.encoders import Encoder, get_encoder
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32, l2_normalize


class Encoders:
    """The encoders of all bundles, each loaded once while one of them needs it.

    In one thread: the event loop goes on meanwhile, and so does the inference thread;
    and a bundle that takes over brings no other, which might leave a team behind.
    """

    def __init__(self) -> None:
        """Set it up, empty."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="encoding")
        self._loaded = WeakValueDictionary[EncoderFacts, Encoder]()

    def load(self, facts: EncoderFacts) -> Encoder:
        """Return an encoder; called in the thread.

        Raises:
            NoEncoderError: it is not installed here, or has other weights.
        """
        encoder = self._loaded.get(facts)
        if encoder is None:
            encoder = self._loaded[facts] = _load(facts)
        return encoder

    def stop(self) -> None:
        """End the thread."""
        self.thread.shutdown(wait=False, cancel_futures=True)


class TextEncoding:
    """Encodes texts as a bundle's corpus was encoded, from when it is first asked."""

    def __init__(self, bundle: Bundle, encoders: Encoders | None = None) -> None:
        """Take a bundle; nothing is loaded yet.

        Args:
            bundle: whose corpus it was.
            encoders: shared with other bundles; None for its own.
        """
        self._bundle, self._encoders = bundle, encoders or Encoders()
        self._encoder: Encoder | None = None

    async def encode(self, texts: Mapping[str, str]) -> Float32:
        """Encode texts off the event loop, as `encode_now` does."""
        loop = asyncio.get_running_loop()
        thread = self._encoders.thread
        return await loop.run_in_executor(thread, self.encode_now, texts)

    def encode_now(self, texts: Mapping[str, str]) -> Float32:
        """Encode texts.

        Args:
            texts: at least one, by what messages call it.

        Returns:
            Unit vectors in the caller's space, shape ``(n, D)``.

        Raises:
            NotApplicableError: the corpus was made from no texts.
            NoEncoderError: its encoder is not installed here, or has other weights.
            InvalidContextError: the encoder finds nothing in a text.
        """
        if self._encoder is None:
            self._encoder = self._encoders.load(self._facts())
        vectors_ND = self._encoder.encode(list(texts.values()))
        empty_N = ~np.asarray(vectors_ND).any(axis=1)
        if empty_N.any():
            name = list(texts)[int(np.argmax(empty_N))]
            detail = f"{name}: the encoder finds no word in it that it knows"
            raise InvalidContextError(detail)
        return l2_normalize(vectors_ND)

    def stop(self) -> None:
        """End the thread of the encoders."""
        self._encoders.stop()

    def _facts(self) -> EncoderFacts:
        manifest = self._bundle.manifest
        if manifest.encoder is None:
            instead = "ids" if manifest.corpus_kind == "items" else "vectors or ids"
            detail = (
                f"texts: the vectors of {manifest.corpus_name} were made from no texts "
                f"that are known here; send {instead}"
            )
            raise NotApplicableError(detail)
        return manifest.encoder


def _load(facts: EncoderFacts) -> Encoder:
    try:
        encoder = get_encoder(facts.name)
    except CorpusError as error:
        detail = f"the corpus was encoded by {facts.version}: {error}"
        raise NoEncoderError(detail) from error
    if encoder.checksum != facts.checksum:
        detail = (
            f"expected {facts.name} of {facts.version}, weights "
            f"{facts.checksum[:12]}, found {encoder.version}, weights "
            f"{encoder.checksum[:12]}: its vectors lie in another space"
        )
        raise NoEncoderError(detail)
    return encoder
