"""What was asked, in the numbers of one bundle."""

import numpy as np

from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.errors import NotApplicableError, UnknownDocumentError, UnknownIdError
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.requests import PredictRequest
from nextvec.training.vectors import Int64


def to_query(asked: PredictRequest, engine: Engine) -> Query:
    """Turn names into rows and numbers of the engine's bundle, which the query carries.

    Raises:
        UnknownIdError: a vector of the context is unknown.
        UnknownDocumentError: so is a document.
        NotApplicableError: documents mean nothing in this corpus.
    """
    options, catalogue = asked.options, engine.bundle.catalogue
    return Query(
        engine=engine,
        context=asked.context,
        rows=None if asked.ids is None else _rows(asked.ids, catalogue),
        k=options.k,
        exclude_context=options.exclude_context,
        documents=_numbers("documents", options.documents, catalogue),
        exclude_documents=_numbers(
            "exclude_documents", options.exclude_documents or None, catalogue
        )
        or (),
        return_vector=options.return_vector,
    )


def _rows(ids: list[str], catalogue: Catalogue) -> Int64:
    rows = [catalogue.row_of_id.get(name) for name in ids]
    if None in rows:
        at = rows.index(None)
        detail = f"ids[{at}]: no vector is called {quoted(ids[at])}"
        raise UnknownIdError(detail)
    return np.array(rows, dtype=np.int64)


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
