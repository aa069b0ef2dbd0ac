"""What was asked, in the numbers of one bundle."""

from collections.abc import Mapping

import numpy as np

from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.errors import NotApplicableError, UnknownDocumentError, UnknownIdError
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.requests import Mixture, PredictRequest
from nextvec.training.vectors import Float32, Int64


def to_query(
    asked: PredictRequest, engine: Engine, encoded: Float32 | None = None
) -> Query:
    """Turn names into rows and numbers of the engine's bundle, which the query carries.

    Args:
        asked: what was asked.
        engine: what answers it.
        encoded: unit vectors of the texts of a mixture, in the order of their places,
            in the caller's space.

    Raises:
        UnknownIdError: a vector of the context is unknown.
        UnknownDocumentError: so is a document.
        NotApplicableError: documents mean nothing in this corpus.
    """
    options, catalogue = asked.options, engine.bundle.catalogue
    context, rows = asked.context, None
    if asked.ids is not None:
        rows = _rows(dict(enumerate(asked.ids)), catalogue, "ids[{}]")
    if asked.mixture is not None:
        context, rows = _mixed(asked.mixture, catalogue, encoded)
    return Query(
        engine=engine,
        context=context,
        rows=rows,
        k=options.k,
        exclude_context=options.exclude_context,
        documents=_numbers("documents", options.documents, catalogue),
        exclude_documents=_numbers(
            "exclude_documents", options.exclude_documents or None, catalogue
        )
        or (),
        return_vector=options.return_vector,
    )


def _mixed(
    mixture: Mixture, catalogue: Catalogue, encoded: Float32 | None
) -> tuple[Float32, Int64]:
    """Put a context together: vectors ``(T, D)``, and rows ``(T,)``, -1 for vectors."""
    context_TD = np.zeros((mixture.length, mixture.vectors.shape[1]), np.float32)
    context_TD[mixture.vector_places] = mixture.vectors
    if encoded is not None:
        context_TD[list(mixture.texts)] = encoded
    row_T = np.full(mixture.length, -1, np.int64)
    row_T[list(mixture.ids)] = _rows(mixture.ids, catalogue, "context[{}]")
    return context_TD, row_T


def _rows(ids: Mapping[int, str], catalogue: Catalogue, where: str) -> Int64:
    """Return the rows of names by place; ``where`` says what a place is called."""
    rows = {place: catalogue.row_of_id.get(name) for place, name in ids.items()}
    for place, row in rows.items():
        if row is None:
            near = catalogue.nearest_id(ids[place])
            hint = "" if near is None else f"; the nearest name is {quoted(near)}"
            detail = (
                f"{where.format(place)}: no vector is called {quoted(ids[place])}{hint}"
            )
            raise UnknownIdError(detail)
    return np.array(list(rows.values()), dtype=np.int64)


def _numbers(
    option: str, names: tuple[str, ...] | None, catalogue: Catalogue
) -> list[int] | None:
    if names is None:
        return None
    if catalogue.kind == "items":
        detail = f"{option}: the items of sessions belong to no one document"
        raise NotApplicableError(detail)
    numbers = []
    for name in names:
        number = catalogue.number_of_document.get(name)
        if number is None:
            detail = f"{option}: no document is called {quoted(name)}"
            raise UnknownDocumentError(detail)
        numbers.append(number)
    return numbers
