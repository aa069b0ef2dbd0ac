"""The engine: a batch of contexts in, predictions and neighbors out.

Runs in the inference thread only (`nextvec.app.inference.batcher`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.index import Found
from nextvec.app.bundle.searcher import Selection
from nextvec.app.inference.groups import at_least, groups
from nextvec.app.inference.neighbors import Copies, find_neighbors, reach
from nextvec.app.inference.predictors import Predictor, make_predictor
from nextvec.app.steps import Steps
from nextvec.training.models.prediction import Prediction
from nextvec.training.models.stepping import Stepping
from nextvec.training.vectors import Float32, Int64

Reads = Literal["new", "anew"]

_BATCH_SIZES: Final = (1, 2, 4, 8, 12, 16, 24, 32)
_LENGTHS: Final = (10, 25, 50, 100)
# Batches are padded to these sizes: kernels are cached for each shape they meet, and
# a service meets every shape (https://github.com/pytorch/pytorch/issues/32596).
_TIMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question, already decoded and checked, and the engine that answers it.

    Its rows and numbers mean something in the engine's bundle alone, so it carries
    that with it: whatever is live by the time it is computed changes nothing.
    """

    engine: "Engine"
    """What answers it."""

    context: Float32 | None = None
    """Unit vectors in the caller's space, oldest first, shape ``(T, D)``; None if
    the context is given by ``rows`` alone."""

    rows: Int64 | None = None
    """Rows of the index, oldest first, shape ``(T,)``; beside ``context`` -1 at the
    places where that counts."""

    k: int
    """Neighbors wanted."""

    exclude_context: bool = True
    """Whether rows that are vectors of the context are left out."""

    documents: Sequence[int] | None = None
    """Numbers of the only documents to search; None searches all."""

    exclude_documents: Sequence[int] = ()
    """Numbers of documents not to search."""

    return_vector: bool = False
    """Whether the predicted vector is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found, and what it took."""

    bundle: Bundle
    """Whose rows were found."""

    found: Found
    """Rows and scores of the neighbors."""

    cosines: Float32 | None
    """Cosine of each neighbor to the prediction, in the searched space; None where no
    vector was predicted."""

    num_context: int
    """Vectors of the context, T."""

    vector: Float32 | None
    """The prediction in the caller's space, unit length, shape ``(D,)``, if wanted."""

    model_s: float
    """Seconds of the batch in transform and network."""

    search_s: float
    """Seconds of the batch in the index."""


def answer(queries: Sequence[Query]) -> list[Answer]:
    """Answer a batch, each query as if it were alone, by the engine it carries.

    Queries of one engine are computed together; in the moments when one bundle takes
    over from another a batch holds queries of both.
    """
    answers: dict[int, Answer] = {}
    places: dict[Engine, list[int]] = {}
    for place, query in enumerate(queries):
        places.setdefault(query.engine, []).append(place)
    for engine, own in places.items():
        together = engine.run([queries[place] for place in own])
        answers |= zip(own, together, strict=True)
    return [answers[place] for place in range(len(queries))]


class Engine:
    """Answers queries from one bundle."""

    def __init__(self, bundle: Bundle, predictor: Predictor | None = None) -> None:
        """Take a loaded bundle.

        Args:
            bundle: what is served.
            predictor: what runs its network; None takes what the bundle names.

        Raises:
            BundleError: the bundle names an engine that this package does not have.
        """
        self.bundle = bundle
        self.predictor = predictor or make_predictor(
            bundle.checkpoint.model, bundle.manifest.engine.name
        )

    reads_rows = False
    """Whether the rows of a context are all that counts of it."""

    @property
    def name(self) -> str:
        """What answers, in words for people."""
        return self.predictor.name

    @property
    def reads(self) -> Reads:
        """Whether a step of a session reads the new vectors alone, or all anew."""
        return "anew" if self.stepping is None else "new"

    @property
    def stepping(self) -> Stepping | None:
        """The model by the step; None where each new vector costs a whole context."""
        return self.predictor.stepping

    def run(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer queries that carry this engine, each as if it were alone.

        Raises:
            ValueError: one carries another engine, whose rows these are not.
        """
        self.require_own(queries)
        began = time.perf_counter()
        contexts, rows = self.contexts(queries)
        prediction = self.predict(contexts)
        return self.answers(queries, contexts, rows, prediction, began=began)

    def answers(
        self,
        queries: Sequence[Query],
        contexts: Sequence[Float32],
        rows: Sequence[Int64],
        prediction: Prediction,
        *,
        began: float,
    ) -> list[Answer]:
        """Search for what is predicted.

        Args:
            queries: whose options count; their contexts are those that follow.
            contexts: unit vectors in the searched space, each ``(T, D)``.
            rows: of each context, -1 for a vector that is no row.
            prediction: after each context.
            began: when the prediction was begun, by `time.perf_counter`.
        """
        modelled = time.perf_counter()
        found = self._search(
            queries, contexts, self.copies(prediction, rows), prediction
        )
        unit_QD = prediction.unit().numpy()
        vectors = [
            self.bundle.checkpoint.transform.invert(unit_D[None])[0]
            if query.return_vector
            else None
            for query, unit_D in zip(queries, unit_QD, strict=True)
        ]
        model_s, search_s = modelled - began, time.perf_counter() - modelled
        return [
            Answer(
                bundle=self.bundle,
                found=f,
                cosines=self.bundle.index.scores(f.rows, unit_D),
                num_context=len(context),
                vector=v,
                model_s=model_s,
                search_s=search_s,
            )
            for f, context, v, unit_D in zip(
                found, contexts, vectors, unit_QD, strict=True
            )
        ]

    def require_own(self, queries: Sequence[Query]) -> None:
        """Refuse queries whose rows mean something in another bundle.

        Raises:
            ValueError: one carries another engine.
        """
        if any(query.engine is not self for query in queries):
            msg = f"a query of another bundle than {self.bundle.manifest.version}"
            raise ValueError(msg)

    def golden_vector(self, rows: Int64) -> Float32:
        """Return what is predicted after some rows, in the searched space, ``(D,)``."""
        predicted = self.predict([self.bundle.index.vectors[rows]])
        vector_D: Float32 = predicted.vectors[0].numpy()
        return vector_D

    def warm(self) -> Steps[float]:
        """Predict in every shape, and search, so that no client pays for the first.

        One a step. A search has no shape that costs: one of many queries, and some of
        one.

        Returns:
            Seconds that one full context takes alone, the best of three.
        """
        longest = self.bundle.suite.windows.context_rows[0]
        rows = np.resize(longest[longest >= 0], _LENGTHS[-1])
        for contexts in self._shapes(self.bundle.index.vectors[rows]):
            self.predict(contexts)
            yield
        times = []
        for count in (_BATCH_SIZES[-1], *[1] * _TIMED):
            began = time.perf_counter()
            self.run([Query(engine=self, rows=rows, k=10)] * count)
            times.append(time.perf_counter() - began)
            yield
        return min(times[1:])

    def _shapes(self, context_TD: Float32) -> list[list[Float32]]:
        """Return batches of every shape that a network is given."""
        return [
            *([context_TD] * size for size in _BATCH_SIZES),
            *([context_TD[:length]] for length in _LENGTHS),
        ]

    def predict(self, contexts: Sequence[Float32]) -> Prediction:
        """Predict after each context.

        Args:
            contexts: unit vectors in the searched space, each ``(T, D)``.

        Returns:
            One for each, in the searched space; without rows.
        """
        lengths = [len(context) for context in contexts]
        parts = groups(lengths, _LENGTHS, _BATCH_SIZES)
        if len(parts) == 1:
            return self._predict(contexts)
        joined = Prediction.joined(
            [self._predict([contexts[place] for place in part]) for part in parts]
        )
        order = [place for part in parts for place in part]
        return joined[np.argsort(order).tolist()]

    def _predict(self, contexts: Sequence[Float32]) -> Prediction:
        """Predict after contexts that are padded together."""
        lengths = [len(context) for context in contexts]
        width = at_least(max(lengths), _LENGTHS)
        height = at_least(len(contexts), _BATCH_SIZES)
        context_BTD = np.zeros((height, width, self.bundle.index.dim), np.float32)
        length_B = np.ones(height, np.int64)
        length_B[: len(lengths)] = lengths
        for row, context in enumerate(contexts):
            context_BTD[row, : len(context)] = context
        # a context of zeros has no direction: the spare rows repeat the first
        context_BTD[len(contexts) :] = context_BTD[0]
        prediction = self.predictor(
            torch.from_numpy(context_BTD), torch.from_numpy(length_B)
        )
        return prediction[: len(contexts)]

    def copies(
        self, prediction: Prediction, rows: Sequence[Int64]
    ) -> list[Copies | None]:
        """Return which items of each context may return, and how much that adds.

        Args:
            prediction: after each context.
            rows: of the items of each, -1 for one that is not known.

        Returns:
            None for each where nothing returns, or where cosine alone is to rank.
        """
        if prediction.copies is None or self.bundle.beta == 0:
            return [None] * len(rows)
        copies_QT = prediction.copies.numpy()
        return [
            Copies.of(row_T, weight_T[: len(row_T)])
            for row_T, weight_T in zip(rows, copies_QT, strict=True)
        ]

    def contexts(self, queries: Sequence[Query]) -> tuple[list[Float32], list[Int64]]:
        """Return every context in the searched space, and its rows, -1 for unknown."""
        index, known = self.bundle.index, self.bundle.known
        given = [
            q.context if q.rows is None else q.context[q.rows < 0]
            for q in queries
            if q.context is not None
        ]
        if given:
            whole = np.concatenate(given)
            transform = self.bundle.checkpoint.transform
            if known is None:
                moved = transform.apply(whole)
                found = np.full(len(whole), -1, np.int64)
            else:
                found = known.rows_of(whole)
                # what is not known reads the last row here, and is moved then
                moved, is_new = index.vectors[found], found < 0
                if is_new.any():
                    moved[is_new] = transform.apply(whole[is_new])
            cuts = np.cumsum([len(context) for context in given])[:-1]
            split = zip(np.split(moved, cuts), np.split(found, cuts), strict=True)
        both = []
        for query in queries:
            if query.rows is None:
                both.append(next(split))
                continue
            context, rows = index.vectors[query.rows], query.rows
            if query.context is not None:
                is_given, rows = rows < 0, rows.copy()
                context[is_given], rows[is_given] = next(split)
            both.append((context, rows))
        return [context for context, _ in both], [rows for _, rows in both]

    def _search(
        self,
        queries: Sequence[Query],
        contexts: Sequence[Float32],
        copies: Sequence[Copies | None],
        prediction: Prediction,
    ) -> list[Found]:
        index, is_plain = self.bundle.index, self.bundle.beta == 0
        wanted = prediction.unit() if is_plain else prediction.vectors
        prediction_QD = wanted.numpy()
        selections = [self._selection(query) for query in queries]
        widest = max(
            reach(query.k, len(context) * query.exclude_context)
            for query, context in zip(queries, contexts, strict=True)
        )
        first = index.candidates(
            prediction_QD, widest, selections, beta=self.bundle.beta
        )
        return [
            find_neighbors(
                index,
                prediction_QD[i],
                query.k,
                selection=selections[i],
                context_TD=contexts[i] if query.exclude_context else None,
                beta=self.bundle.beta,
                copies=None if query.exclude_context else copies[i],
                first=first[i],
            )
            for i, query in enumerate(queries)
        ]

    def _selection(self, query: Query) -> Selection | None:
        return self.bundle.catalogue.select(query.documents, query.exclude_documents)
