"""`POST /predict`: a context in, the next vector and its neighbors out."""

import asyncio
import time
from typing import Final

import numpy as np
import orjson
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.api.middleware import log_fields
from app.api.prediction import Prediction, predict_operation
from app.bundle.catalogue import Catalogue
from app.bundle.neighbor import Neighbor
from app.inference.engine import Answer, Query
from app.service import Live, Service
from app.wire.media import media_type
from app.wire.options import Options, options_of_query
from app.wire.problems import (
    INVALID_OPTION,
    NOT_APPLICABLE,
    UNKNOWN_DOCUMENT,
    UNKNOWN_ID,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
    cut,
    quoted,
)
from app.wire.requests import PredictRequest, decode_json, decode_octets

JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"
_GONE: Final = 499
# What nginx logs for a client that left; nobody reads the answer.


def predict_router(service: Service) -> APIRouter:
    """Return the route, bound to a service."""
    router = APIRouter()

    @router.post("/predict", **predict_operation(service.settings))
    async def predict(request: Request) -> Response:
        live = service.live
        try:
            body = await request.body()
        except ClientDisconnect:
            return _gone(service)
        began = time.perf_counter()
        asked, encoding = decode(request, body, live)
        query = to_query(asked, live.engine.bundle.catalogue)
        decode_s = time.perf_counter() - began
        service.metrics.decode_seconds.labels(encoding).observe(decode_s)
        log_fields(request.scope)["k"] = query.k
        outcome = await _answer_or_disconnect(service, query, request)
        if outcome is None:
            return _gone(service)
        answer, queue_s = outcome
        stages = {
            "parse": decode_s,
            "queue": queue_s,
            "model": answer.model_s,
            "search": answer.search_s,
        }
        for stage in ("queue", "model", "search"):
            service.metrics.stage_seconds.labels(stage).observe(stages[stage])
        timing = ", ".join(f"{n};dur={1000 * s:.3f}" for n, s in stages.items())
        content = _content(asked, answer, live)
        return Response(
            orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY),
            media_type=JSON,
            headers={"Server-Timing": timing},
        )

    return router


def decode(request: Request, body: bytes, live: Live) -> tuple[PredictRequest, str]:
    """Decode a body by its content type.

    Returns:
        The request, and what its encoding is called in the metrics.

    Raises:
        ProblemError: the type is not understood, or the body not usable.
    """
    kind = media_type(request.headers)
    pairs = request.query_params.multi_items()
    if kind == JSON:
        if pairs:
            detail = (
                f"{quoted(pairs[0][0])}: the options of a JSON request belong in its "
                "body, not in the query"
            )
            raise ProblemError(INVALID_OPTION, detail)
        asked = decode_json(body, live.limits)
        return asked, "json" if asked.ids is None else "ids"
    if kind == OCTETS:
        options = options_of_query(pairs, live.limits)
        return decode_octets(body, options, live.limits), "octets"
    detail = f"expected {JSON} or {OCTETS}, got {cut(kind) or 'no content type'}"
    raise ProblemError(UNSUPPORTED_MEDIA_TYPE, detail)


def to_query(asked: PredictRequest, catalogue: Catalogue) -> Query:
    """Turn names into rows and numbers.

    Raises:
        ProblemError: a name is unknown, or documents mean nothing in this corpus.
    """
    options = asked.options
    return Query(
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


def _rows(ids: list[str], catalogue: Catalogue) -> np.ndarray:
    rows = [catalogue.row_of_id.get(name) for name in ids]
    if None in rows:
        at = rows.index(None)
        detail = f"ids[{at}]: no vector is called {quoted(ids[at])}"
        raise ProblemError(UNKNOWN_ID, detail)
    return np.array(rows, dtype=np.int64)


def _numbers(
    option: str, names: tuple[str, ...] | None, catalogue: Catalogue
) -> list[int] | None:
    if names is None:
        return None
    if catalogue.kind == "items":
        detail = f"{option}: the items of sessions belong to no one document"
        raise ProblemError(NOT_APPLICABLE, detail)
    numbers = []
    for name in names:
        number = catalogue.number_of_document.get(name)
        if number is None:
            detail = f"{option}: no document is called {quoted(name)}"
            raise ProblemError(UNKNOWN_DOCUMENT, detail)
        numbers.append(number)
    return numbers


async def _answer_or_disconnect(
    service: Service, query: Query, request: Request
) -> tuple[Answer, float] | None:
    """Wait for the answer; None if the client left, whose query leaves the queue."""
    answer = asyncio.create_task(service.predict(query))
    left = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        return None
    finally:
        left.cancel()
        answer.cancel()


def _gone(service: Service) -> Response:
    """Note a client that left; the answer is for the log alone."""
    service.metrics.dropped.labels("disconnected").inc()
    return Response(status_code=_GONE)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _content(asked: PredictRequest, answer: Answer, live: Live) -> Prediction:
    manifest = live.engine.bundle.manifest
    content: Prediction = {
        "neighbors": _neighbors(asked.options, answer, live.engine.bundle.catalogue),
        "num_context": answer.num_context,
        "bundle": manifest.version,
        "model_version": manifest.model_version,
        "index_version": manifest.index_version,
    }
    if answer.vector is not None:
        # an array, which orjson writes as the list it stands for
        content["vector"] = answer.vector  # type: ignore[typeddict-item]
    return content


def _neighbors(
    options: Options, answer: Answer, catalogue: Catalogue
) -> list[Neighbor]:
    pairs = zip(answer.found.rows.tolist(), answer.found.scores.tolist(), strict=True)
    return [
        catalogue.describe(row, score, with_text=options.return_texts)
        for row, score in pairs
    ]
