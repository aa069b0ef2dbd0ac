"""A bundle or a run, opened to be asked by a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from nextvec.app.bundle.manifest import MANIFEST
from nextvec.app.errors import InvalidContextError
from nextvec.app.inference.baseline_engine import engine_of
from nextvec.app.inference.encoding import TextEncoding
from nextvec.app.inference.engine import Engine
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import POINTER, Registry
from nextvec.app.steps import finish
from nextvec.app.wire.answers import neighbors_of
from nextvec.app.wire.contexts import Context, Mixture
from nextvec.app.wire.options import Limits, Options, options_of_fields
from nextvec.app.wire.queries import to_queries
from nextvec.app.wire.requests import PredictRequest
from nextvec.training.errors import BundleError
from nextvec.training.run_folder import CARD
from nextvec.training.vectors import (
    CONTEXT_LENGTH,
    Float32,
    check_vectors,
    l2_normalize,
)

_BATCH: Final = 32
# As many as the service computes together.

Entry = str | Mapping[str, str] | ArrayLike
"""What a place of a context may hold: an id, ``{"text": ...}``, or a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """Something real that lies near what is predicted."""

    id: str
    """Its unique name."""

    score: float
    """What ranks it: its cosine, less a share of how much of a hub it is; of items
    that learned the logarithm of a weight."""

    cosine: float | None
    """Cosine to the prediction in the searched space, -1 to 1; None where a baseline of
    items answers, which predicts no vector."""

    document: str | None
    """Document that holds it; None for items."""

    position: int | None
    """Where in the document, from 0; None for items."""

    text: str | None = None
    """Its text, if the corpus has texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What comes next."""

    neighbors: tuple[Neighbor, ...]
    """Best first."""

    vector: Float32 | None = field(repr=False)
    """The prediction in the caller's space, unit length, shape ``(D,)``; None where a
    baseline of items answers."""

    num_context: int
    """Places of the context, T."""


class Predictor:
    """Answers from one bundle; threads may share it, and are answered in turn."""

    def __init__(
        self, engine: Engine, *, scratch: TemporaryDirectory[str] | None = None
    ) -> None:
        """Take an engine; `open_predictor` makes one.

        Args:
            engine: of a bundle that answered its golden query.
            scratch: folder that goes when the predictor does.
        """
        self._engine = engine
        self._texts = TextEncoding(engine.bundle)
        self._scratch = scratch
        self._lock = Lock()

    @property
    def engine(self) -> Engine:
        """What computes; of the rooms behind the library, not a part of it."""
        return self._engine

    @property
    def card(self) -> dict[str, Any]:
        """Everything that is known about the run."""
        return self._engine.bundle.card

    @property
    def version(self) -> str:
        """Name of the bundle."""
        return self._engine.bundle.manifest.version

    @property
    def serves(self) -> str:
        """What answers: the architecture, or the closed form it did not better."""
        return self._engine.bundle.serves

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return self._engine.bundle.index.dim

    def predict(
        self,
        context: Sequence[Entry] | np.ndarray,
        *,
        k: int = 10,
        documents: Sequence[str] | None = None,
        exclude_documents: Sequence[str] | None = None,
        exclude_context: bool | None = None,
    ) -> Predicted:
        """Predict what comes after a context, and find what is nearest to it.

        Args:
            context: 1 to 100 places, oldest first: an array of shape ``(T, D)``, or a
                list in which a string is the id of a vector of the index,
                ``{"text": ...}`` a text that is encoded as the corpus was, and
                anything else a vector of length D.
            k: neighbors wanted, at least 1.
            documents: the only documents to search; None searches all.
            exclude_documents: documents not to search.
            exclude_context: leave out what is in the context; None does as the
                validation did.

        Raises:
            NextvecError: the context or an option is not usable; says what was
                expected and what came.
        """
        options = self._options(k, documents, exclude_documents, exclude_context)
        one = Context(name="context", mixture=_mixture(context, self.dim, "context"))
        return self._predicted([one], options)[0]

    def predict_batch(
        self,
        contexts: Sequence[Sequence[Entry] | np.ndarray] | np.ndarray,
        *,
        k: int = 10,
        documents: Sequence[str] | None = None,
        exclude_documents: Sequence[str] | None = None,
        exclude_context: bool | None = None,
    ) -> list[Predicted]:
        """Predict what comes after each of several contexts.

        The same answers as `predict` gives one by one, to the rounding, in less time.

        Args:
            contexts: any number of what `predict` takes, of one length or of several;
                an array has shape ``(B, T, D)``.
            k: neighbors wanted of each, at least 1.
            documents: the only documents to search; None searches all.
            exclude_documents: documents not to search.
            exclude_context: leave out of each what is in its context; None does as the
                validation did.

        Returns:
            One for each context, in their order.

        Raises:
            NextvecError: a context or an option is not usable; says which.
        """
        options = self._options(k, documents, exclude_documents, exclude_context)
        given = []
        for place, context in enumerate(contexts):
            name = f"contexts[{place}]"
            mixture = _mixture(context, self.dim, name)
            given.append(Context(name=name, mixture=mixture))
        return self._predicted(given, options)

    def _options(
        self,
        k: int,
        documents: Sequence[str] | None,
        exclude_documents: Sequence[str] | None,
        exclude_context: bool | None,
    ) -> Options:
        limits = Limits(
            dim=self.dim,
            max_context=CONTEXT_LENGTH,
            max_k=max(k, 1),
            default_k=10,
            excludes_context=self._engine.bundle.suite.excludes_context,
        )
        told = {
            "k": k,
            "documents": None if documents is None else list(documents),
            "exclude_documents": list(exclude_documents or ()) or None,
            "exclude_context": exclude_context,
            "return_vector": self._engine.bundle.item_baseline is None,
        }
        return options_of_fields(told, limits)

    def _predicted(
        self, contexts: Sequence[Context], options: Options
    ) -> list[Predicted]:
        asked = PredictRequest(contexts=list(contexts), options=options)
        with self._lock:
            texts = asked.texts
            encoded = self._texts.encode_now(texts) if texts else None
            queries = finish(to_queries(asked, self._engine, encoded))
            answers = [
                answer
                for start in range(0, len(queries), _BATCH)
                for answer in self._engine.run(queries[start : start + _BATCH])
            ]
        return [
            Predicted(
                neighbors=tuple(Neighbor(**n) for n in neighbors_of(answer, options)),
                vector=answer.vector,
                num_context=answer.num_context,
            )
            for answer in answers
        ]

    def close(self) -> None:
        """Let go of what it holds; it answers no more."""
        self._texts.stop()
        if self._scratch is not None:
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        """Return it; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def open_predictor(
    folder: str | Path, *, corpus: str | Path | None = None
) -> Predictor:
    """Open a bundle, the live bundle of a folder of bundles, or a run.

    Args:
        folder: of one of the three. Of a run a bundle is made aside, which takes as
            long as indexing its corpus; ``nextvec bundle build`` makes one that stays.
        corpus: folder of the run's corpus; None takes the one that its card names.

    Raises:
        NextvecError: nothing is there, it is damaged, or does not answer as it did
            when it was made.
    """
    folder = Path(folder)
    if (folder / MANIFEST).exists():
        return Predictor(open_engine(folder))
    if (folder / POINTER).exists():
        return Predictor(open_engine(Registry(folder).live()))
    if not (folder / CARD).exists():
        msg = (
            f"{folder}: expected a bundle ({MANIFEST}), a folder of bundles "
            f"({POINTER}) or a run ({CARD}), found none of them"
        )
        raise BundleError(msg)
    scratch = TemporaryDirectory(prefix="nextvec-")
    try:
        bundle = build_bundle(
            folder,
            Path(scratch.name),
            corpus=None if corpus is None else Path(corpus),
        )
    except BaseException:
        scratch.cleanup()
        raise
    return Predictor(engine_of(bundle), scratch=scratch)


def _mixture(context: Sequence[Entry] | np.ndarray, dim: int, name: str) -> Mixture:
    """Sort the places of a context by what they hold."""
    if not 1 <= len(context) <= CONTEXT_LENGTH:
        msg = f"{name}: expected 1 to {CONTEXT_LENGTH} places, got {len(context)}"
        raise InvalidContextError(msg)
    ids: dict[int, str] = {}
    texts: dict[int, str] = {}
    vectors: dict[int, np.ndarray] = {}
    for place, entry in enumerate(context):
        if isinstance(entry, str):
            ids[place] = entry
        elif isinstance(entry, Mapping):
            texts[place] = _text(entry, f"{name}[{place}]")
        else:
            vectors[place] = _vector(entry, f"{name}[{place}]", dim)
    given_VD = np.zeros((0, dim), np.float32)
    if vectors:
        given_VD = np.stack(list(vectors.values()))
        check_vectors(given_VD, source=name)
        given_VD = l2_normalize(given_VD)
    return Mixture(
        length=len(context),
        vectors=given_VD,
        vector_places=list(vectors),
        ids=ids,
        texts=texts,
    )


def _text(entry: Mapping[str, str], name: str) -> str:
    text = entry.get("text")
    if len(entry) != 1 or not isinstance(text, str) or not text.strip():
        msg = f'{name}: expected {{"text": ...}} that is not blank, got {dict(entry)}'
        raise InvalidContextError(msg)
    return text


def _vector(entry: Any, name: str, dim: int) -> np.ndarray:  # noqa: ANN401 - what NumPy takes
    try:
        vector_D = np.asarray(entry, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name}: expected an id, a text or {dim} numbers: {error}"
        raise InvalidContextError(msg) from error
    if vector_D.shape != (dim,):
        msg = f"{name}: expected a vector of {dim} numbers, got shape {vector_D.shape}"
        raise InvalidContextError(msg)
    return vector_D
