"""`GET /metrics` for Prometheus, and `GET /metrics/hitk` for people and checks."""

import time
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse, Response

from nextvec.app.api.media import JSON
from nextvec.app.api.middleware import log_fields
from nextvec.app.api.openapi import Json, header, parameter, problems, timeout
from nextvec.app.api.timeouts import timeout_of
from nextvec.app.errors import InvalidOptionError
from nextvec.app.hitk.hitk import EncodedReport, Hitk
from nextvec.app.hitk.report import HitkReport
from nextvec.app.service import Live, Service
from nextvec.app.wire.options import flag, number, refuse_unknown
from nextvec.app.wire.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    INTERNAL_ERROR,
    INVALID_OPTION,
    NOT_READY,
)
from nextvec.app.wire.quoting import quoted
from nextvec.training.evaluation.evaluation import KS
from nextvec.training.evaluation.pools import POOLS, PoolName

MAX_KS: Final = 10
"""Most different cut-offs of one request: each is a bootstrap in every pool."""

_PARAMETERS: Final = ("pool", "k", "refresh")


def metrics_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router = APIRouter()

    # a route each: a mounted app would answer /metrics with a redirect and swallow
    # /metrics/hitk (https://github.com/prometheus/client_python/issues/1016)
    @router.get(
        "/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse
    )
    async def metrics() -> Response:
        return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @router.get(
        "/metrics/hitk",
        summary="The newest validation of the live bundle, or a new one",
        response_model=HitkReport,
        responses={
            200: {
                "headers": {
                    **header("ETag", "Of this report, to ask again with."),
                    **header("Age", "Seconds since it was measured.", "integer"),
                }
            },
            304: {"description": "Nothing has been measured since that ETag."},
            **problems(
                BAD_REQUEST,
                INVALID_OPTION,
                INTERNAL_ERROR,
                NOT_READY,
                DEADLINE_EXCEEDED,
            ),
        },
        openapi_extra={"parameters": _parameters(service.settings.max_hitk_k)},
    )
    async def hitk(request: Request) -> Response:
        given = request.query_params
        refuse_unknown(given, _PARAMETERS)
        ks = _ks(given, service.settings.max_hitk_k)
        refresh = "refresh" in given and flag("refresh", given.getlist("refresh"))
        log_fields(request.scope)["k"] = ks
        timeout_s = timeout_of(request.headers, service.settings.hitk_timeout_s)

        async def ask(live: Live) -> EncodedReport:
            pools = _pools(given, live.hitk)
            return await live.hitk.encoded(pools, ks, refresh=refresh)

        report, live = await service.validation(ask, timeout_s)
        age_s = max(0.0, time.time() - report.ended)
        # weak: the age is another one each time
        etag = f'W/"{report.digest}"'
        headers = {"ETag": etag, "Age": f"{age_s:.0f}", "Cache-Control": "no-cache"}
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        body = report.aged(age_s, is_refreshing=live.hitk.is_refreshing)
        return Response(body, media_type=JSON, headers=headers)

    return router


def _parameters(largest: int) -> list[Json]:
    k = {"type": "integer", "minimum": 1, "maximum": largest}
    return [
        parameter(
            "pool",
            "Pools, repeated or with commas; all if none.",
            {"type": "array", "items": {"enum": list(POOLS)}},
        ),
        parameter(
            "k",
            f"At most {MAX_KS} cut-offs, repeated or with commas; 1, 5, 10 if none.",
            {"type": "array", "items": k, "maxItems": MAX_KS},
        ),
        parameter(
            "refresh",
            "Measure again what was measured already, and wait for it; one run at a "
            "time.",
            {"type": "boolean", "default": False},
        ),
        parameter(
            "If-None-Match",
            "An ETag; answered with 304 if nothing has changed.",
            {"type": "string"},
            of="header",
        ),
        timeout("Without it the report takes as long as it takes."),
    ]


def _values(given: QueryParams, name: str) -> list[str]:
    """Return a parameter's values: repeated, separated by commas, or both."""
    return [part for value in given.getlist(name) for part in value.split(",")]


def _ks(given: QueryParams, largest: int) -> list[int]:
    ks = sorted({number("k", value) for value in _values(given, "k")}) or list(KS)
    if len(ks) > MAX_KS:
        detail = f"k: expected at most {MAX_KS} different cut-offs, got {len(ks)}"
        raise InvalidOptionError(detail)
    for k in ks:
        if not 1 <= k <= largest:
            detail = f"k: expected 1 to {largest}, got {k}"
            raise InvalidOptionError(detail)
    return ks


def _pools(given: QueryParams, hitk: Hitk) -> list[PoolName]:
    wanted = _values(given, "pool")
    for name in wanted:
        if name not in POOLS:
            detail = f"pool: expected any of {', '.join(POOLS)}, got {quoted(name)}"
            raise InvalidOptionError(detail)
        if name not in hitk.pools:
            there = ", ".join(hitk.pools)
            detail = f"pool: the live corpus is too small for {name}; it has {there}"
            raise InvalidOptionError(detail)
    return [pool for pool in hitk.pools if pool in wanted or not wanted]


def _matches(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag.removeprefix("W/") in tags or "*" in tags
