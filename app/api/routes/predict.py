"""`POST /predict` and `/predict/batch`: contexts in, next vectors and neighbors out."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from nextvec.app.api.guard import charge_contexts
from nextvec.app.api.media import (
    JSON,
    OCTETS,
    announces_body,
    dtype_of,
    media_type,
    refuse_other,
)
from nextvec.app.api.middleware import log_fields
from nextvec.app.api.prediction import batch_operation, predict_operation
from nextvec.app.api.timeouts import timeout_of
from nextvec.app.arrival import arrival_of
from nextvec.app.deadline import Deadline
from nextvec.app.errors import InvalidOptionError
from nextvec.app.inference.engine import Answer, Query
from nextvec.app.service import Live, Service
from nextvec.app.sessions.session import Step
from nextvec.app.steps import Steps, in_turns
from nextvec.app.wire.answers import encode, encode_batch
from nextvec.app.wire.layouts import layout_of_batch, layout_of_one
from nextvec.app.wire.options import Limits, options_of_query
from nextvec.app.wire.queries import to_queries
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.requests import (
    PredictRequest,
    decode_json,
    decode_json_batch,
    decode_octets,
)

Computed = tuple[Answer, float]
"""An answer, and the seconds its query was queued."""

ItemOf = Callable[[PredictRequest, Query], Query | Step]


def predict_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router = APIRouter()

    @router.post("/predict", **predict_operation(service.settings))
    async def predict(request: Request) -> Response:
        asked = await receive(service, request)
        return (await answered(service, request, asked)).response()

    @router.post("/predict/batch", **batch_operation(service.settings))
    async def predict_batch(request: Request) -> Response:
        reply = await answered(
            service,
            request,
            await receive(service, request),
            decode=decode_json_batch,
            is_batch=True,
        )
        return reply.response()

    return router


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as JSON."""

    content: bytes
    headers: dict[str, str]

    def response(self) -> Response:
        """Return it as it is sent."""
        return Response(self.content, media_type=JSON, headers=self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request whose body is there."""

    live: Live
    """What answers it, whatever is live later."""

    kind: str
    """Media type of the body, one that is understood; any where there is no body."""

    body: bytes
    deadline: Deadline
    """Until when the answer has to be there."""


async def receive(
    service: Service,
    request: Request,
    *,
    understood: Sequence[str] = (JSON, OCTETS),
    needs_body: bool = True,
) -> Received:
    """Wait for all of a body; refuse what need not be read.

    What is live is looked up after that: a client that sends for minutes would else
    keep a bundle in memory that was let go meanwhile, and so would the next after each
    swap.

    Args:
        service: what answers.
        request: whose body it is.
        understood: media types that a body may have.
        needs_body: whether there has to be one.

    Raises:
        ClientDisconnect: the client left.
        NotReadyError: nothing is live; before anything is read, if that is so then.
        RequestError: its headers are not usable; nothing is read.
    """
    _ = service.live
    kind = media_type(request.headers)
    if needs_body or announces_body(request.headers):
        refuse_other(kind, *understood)
    timeout_s = timeout_of(request.headers, service.settings.request_timeout_s)
    body = await request.body()
    deadline = Deadline(timeout_s, arrival_of(request.scope).at + timeout_s)
    return Received(live=service.live, kind=kind, body=body, deadline=deadline)


async def answered(
    service: Service,
    request: Request,
    received: Received,
    *,
    decode: Callable[[bytes, Limits], Steps[PredictRequest]] = decode_json,
    is_batch: bool = False,
    item_of: ItemOf = lambda _, query: query,
    beside: Callable[[], Mapping[str, Any]] = dict,
) -> Reply:
    """Decode a body, and wait for its answer.

    Args:
        service: what answers.
        request: whose body it is.
        received: what is known of it by now.
        decode: how a body of JSON is read.
        is_batch: whether it holds several contexts.
        item_of: says what is to be computed for a query that was decoded.
        beside: returns what else the answer holds, once it is computed; of one context.

    Raises:
        ClientDisconnect: the client left.
        ProjectError: as the body, the options and the service have it.
    """
    live = received.live
    deadline, began = received.deadline, time.perf_counter()
    with service.entering(deadline.left_s):
        asked, encoding = await _decode(request, received, decode, is_batch=is_batch)
    charge_contexts(request.scope, len(asked.contexts))
    texts, encoded = asked.texts, None
    if texts:
        encoded = await service.encode(live, texts, deadline)
    queries = await in_turns(to_queries(asked, live.engine, encoded))
    decode_s = time.perf_counter() - began
    service.metrics.decode_seconds.labels(encoding).observe(decode_s)
    fields = log_fields(request.scope)
    fields["k"] = asked.options.k
    if is_batch:
        fields["contexts"] = len(queries)
    items = [item_of(asked, query) for query in queries]
    asked_at = time.perf_counter()
    computed = await _answers_or_disconnect(service, items, request, deadline)
    answers = [answer for answer, _ in computed]
    content = await in_turns(
        encode_batch(answers, asked.options)
        if is_batch
        else encode(answers[0], asked.options, beside())
    )
    waited_s = max(
        queued_s + answer.model_s + answer.search_s for answer, queued_s in computed
    )
    if not texts:
        # the encoder has a queue of its own
        after_s = time.perf_counter() - asked_at - waited_s
        service.batcher.answered(asked_at - began, after_s)
    return Reply(content, {"Server-Timing": _timed(service, decode_s, computed)})


async def _decode(
    request: Request,
    received: Received,
    decode: Callable[[bytes, Limits], Steps[PredictRequest]],
    *,
    is_batch: bool,
) -> tuple[PredictRequest, str]:
    """Decode a body by its content type.

    Returns:
        The request, and what its encoding is called in the metrics.

    Raises:
        RequestError: the body is not usable.
    """
    body, limits = received.body, received.live.limits
    pairs = request.query_params.multi_items()
    if received.kind == JSON:
        if pairs:
            detail = (
                f"{quoted(pairs[0][0])}: the options of a JSON request belong in its "
                "body, not in the query"
            )
            raise InvalidOptionError(detail)
        asked = await in_turns(decode(body, limits))
        return asked, asked.encoding
    # said in both places it has to be the same
    said = {value for name, value in pairs if name == "dtype"}
    pairs += [
        ("dtype", dtype) for dtype in dtype_of(request.headers) if {dtype} != said
    ]
    layout, rest = layout_of_batch(pairs, limits) if is_batch else layout_of_one(pairs)
    options = options_of_query(rest, limits, beside=layout.names)
    asked = await in_turns(decode_octets(body, options, limits, layout))
    return asked, "octets"


def _timed(service: Service, decode_s: float, computed: Sequence[Computed]) -> str:
    """Note how long each stage took; return it for a header, of several the longest."""
    stages = {
        "queue": [queue_s for _, queue_s in computed],
        "model": [answer.model_s for answer, _ in computed],
        "search": [answer.search_s for answer, _ in computed],
    }
    for stage, seconds in stages.items():
        histogram = service.metrics.stage_seconds.labels(stage)
        for one in seconds:
            histogram.observe(one)
    longest = {"parse": decode_s} | {name: max(s) for name, s in stages.items()}
    return ", ".join(f"{name};dur={1000 * s:.3f}" for name, s in longest.items())


async def _answers_or_disconnect(
    service: Service,
    queries: Sequence[Query | Step],
    request: Request,
    deadline: Deadline,
) -> list[Computed]:
    """Wait for the answers.

    Raises:
        ClientDisconnect: the client left; its queries leave the queue.
    """
    try:
        async with asyncio.timeout(None) as waiting:
            left = asyncio.create_task(_until_disconnect(request, waiting))
            try:
                # in this task: another would take two turns of the event loop more
                return await service.predict(queries, deadline)
            finally:
                left.cancel()
    except TimeoutError as error:
        raise ClientDisconnect from error


async def _until_disconnect(request: Request, waiting: asyncio.Timeout) -> None:
    """End what is waited for when the client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    waiting.reschedule(asyncio.get_running_loop().time())
