"""`POST /predict`: a context in, the next vector and its neighbors out."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from nextvec.app.api.media import media_type
from nextvec.app.api.middleware import log_fields
from nextvec.app.api.prediction import predict_operation
from nextvec.app.errors import InvalidOptionError, UnsupportedBodyError
from nextvec.app.inference.engine import Answer, Query
from nextvec.app.service import Live, Service
from nextvec.app.sessions.session import Step
from nextvec.app.wire.answers import Prediction, content_of
from nextvec.app.wire.options import options_of_query
from nextvec.app.wire.queries import to_query
from nextvec.app.wire.quoting import cut, quoted
from nextvec.app.wire.requests import PredictRequest, decode_json, decode_octets

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
            return gone(service)
        outcome = await answered(service, request, live, body)
        if outcome is None:
            return gone(service)
        content, headers = outcome
        return Response(
            orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY),
            media_type=JSON,
            headers=headers,
        )

    return router


async def answered(
    service: Service,
    request: Request,
    live: Live,
    body: bytes,
    item_of: Callable[[Query], Query | Step] = lambda query: query,
) -> tuple[Prediction, dict[str, str]] | None:
    """Decode a body, and wait for its answer.

    Args:
        service: what answers.
        request: whose body it is.
        live: what was live when the request came.
        body: as it arrived.
        item_of: says what is to be computed for the query that was decoded.

    Returns:
        The content of the answer, and headers that go with it; None if the client left.
    """
    began = time.perf_counter()
    asked, encoding = decode(request, body, live)
    encoded = None
    if asked.mixture is not None and asked.mixture.texts:
        encoded = await service.encode(live, list(asked.mixture.texts.values()))
    query = to_query(asked, live.engine, encoded)
    decode_s = time.perf_counter() - began
    service.metrics.decode_seconds.labels(encoding).observe(decode_s)
    log_fields(request.scope)["k"] = query.k
    outcome = await _answer_or_disconnect(service, item_of(query), request)
    if outcome is None:
        return None
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
    return content_of(answer, asked.options), {"Server-Timing": timing}


def decode(request: Request, body: bytes, live: Live) -> tuple[PredictRequest, str]:
    """Decode a body by its content type.

    Returns:
        The request, and what its encoding is called in the metrics.

    Raises:
        RequestError: the type is not understood, or the body not usable.
    """
    kind = media_type(request.headers)
    pairs = request.query_params.multi_items()
    if kind == JSON:
        if pairs:
            detail = (
                f"{quoted(pairs[0][0])}: the options of a JSON request belong in its "
                "body, not in the query"
            )
            raise InvalidOptionError(detail)
        asked = decode_json(body, live.limits)
        if asked.mixture is not None:
            return asked, "mixed"
        return asked, "json" if asked.ids is None else "ids"
    if kind == OCTETS:
        options = options_of_query(pairs, live.limits)
        return decode_octets(body, options, live.limits), "octets"
    detail = f"expected {JSON} or {OCTETS}, got {cut(kind) or 'no content type'}"
    raise UnsupportedBodyError(detail)


async def _answer_or_disconnect(
    service: Service, query: Query | Step, request: Request
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


def gone(service: Service) -> Response:
    """Note a client that left; the answer is for the log alone."""
    service.metrics.dropped.labels("disconnected").inc()
    return Response(status_code=_GONE)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
