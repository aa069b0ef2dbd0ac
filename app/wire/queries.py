"""What was asked, in the numbers of one bundle."""

from collections.abc import Mapping

import numpy as np

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.errors import (
    InvalidContextError,
    NotApplicableError,
    UnknownDocumentError,
    UnknownIdError,
)
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.steps import Steps
from nextvec.app.wire.contexts import Mixture
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.requests import PredictRequest
from nextvec.training.vectors import Float32, Int64


def to_queries(
    asked: PredictRequest, engine: Engine, encoded: Float32 | None = None
) -> Steps[list[Query]]:
    """Turn names into rows and numbers of the engine's bundle, which queries carry.

    Args:
        asked: what was asked.
        engine: what answers it.
        encoded: unit vectors of its texts, in their order, in the caller's space.

    Returns:
        One query for each context.

    Raises:
        UnknownIdError: a vector of a context is unknown.
        UnknownDocumentError: so is a document.
        NotApplicableError: documents mean nothing in this corpus, or no vector is
            predicted.
        InvalidContextError: items are known by ids alone, and it holds none of them.
    """
    options, catalogue = asked.options, engine.bundle.catalogue
    if options.return_vector and engine.reads_rows:
        detail = (
            f"return_vector: {engine.bundle.serves} answers by ids, and predicts no "
            "vector"
        )
        raise NotApplicableError(detail)
    documents = yield from _numbers("documents", options.documents, catalogue)
    exclude = options.exclude_documents or None
    excluded = yield from _numbers("exclude_documents", exclude, catalogue)
    queries, num_texts = [], 0
    for given in asked.contexts:
        context, rows = given.vectors, None
        if given.ids is not None:
            rows = _rows(dict(enumerate(given.ids)), catalogue, given.name)
        if (mixture := given.mixture) is not None:
            texts_ND = np.zeros((0, engine.bundle.index.dim), np.float32)
            if encoded is not None:
                texts_ND = encoded[num_texts : num_texts + len(mixture.texts)]
                num_texts += len(mixture.texts)
            context, rows = _mixed(mixture, catalogue, texts_ND, given.name)
        if engine.reads_rows:
            rows = _rows_alone(context, rows, engine.bundle, given.name)
            context = None
        queries.append(
            Query(
                engine=engine,
                context=context,
                rows=rows,
                k=options.k,
                exclude_context=options.exclude_context,
                documents=documents,
                exclude_documents=excluded or (),
                return_vector=options.return_vector,
            )
        )
        yield
    return queries


def _rows_alone(
    context: Float32 | None, rows: Int64 | None, bundle: Bundle, name: str
) -> Int64:
    """Return the rows of a context of items, -1 for a vector that is none of them."""
    if context is None or bundle.known is None:
        return np.empty(0, np.int64) if rows is None else rows
    found = bundle.known.rows_of(context)
    if rows is not None:
        found = np.where(rows >= 0, rows, found)
    if not (found >= 0).any():
        detail = (
            f"{name}: expected the vector of a known item at least once: "
            f"{bundle.serves} answers by ids"
        )
        raise InvalidContextError(detail)
    return found


def _mixed(
    mixture: Mixture, catalogue: Catalogue, texts_ND: Float32, name: str
) -> tuple[Float32, Int64]:
    """Put a context together: vectors ``(T, D)``, and rows ``(T,)``, -1 for vectors."""
    context_TD = np.zeros((mixture.length, mixture.vectors.shape[1]), np.float32)
    context_TD[mixture.vector_places] = mixture.vectors
    context_TD[list(mixture.texts)] = texts_ND
    row_T = np.full(mixture.length, -1, np.int64)
    row_T[list(mixture.ids)] = _rows(mixture.ids, catalogue, name)
    return context_TD, row_T


def _rows(ids: Mapping[int, str], catalogue: Catalogue, name: str) -> Int64:
    """Return the rows of names by place in what a context is called."""
    rows = {place: catalogue.ids.row_of(one) for place, one in ids.items()}
    for place, row in rows.items():
        if row is None:
            near = catalogue.ids.nearest(ids[place])
            hint = "" if near is None else f"; the nearest name is {quoted(near)}"
            detail = f"{name}[{place}]: no vector is called {quoted(ids[place])}{hint}"
            raise UnknownIdError(detail)
    return np.array(list(rows.values()), dtype=np.int64)


def _numbers(
    option: str, names: tuple[str, ...] | None, catalogue: Catalogue
) -> Steps[list[int] | None]:
    if names is None:
        return None
    if catalogue.kind == "items":
        detail = f"{option}: the items of sessions belong to no one document"
        raise NotApplicableError(detail)
    numbers = []
    for name in names:
        number = catalogue.document_ids.row_of(name)
        if number is None:
            detail = f"{option}: no document is called {quoted(name)}"
            raise UnknownDocumentError(detail)
        numbers.append(number)
        yield
    return numbers
