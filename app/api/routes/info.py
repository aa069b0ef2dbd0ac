"""`GET /info`: what is live, what it was measured at, and what may be asked."""

from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import NonNegativeInt
from starlette.responses import Response

from nextvec.app.api.openapi import problems
from nextvec.app.api.responses import json_response
from nextvec.app.inference.engine import Reads
from nextvec.app.release.refusal import Code, Refusal
from nextvec.app.service import Live, Service
from nextvec.app.wire.problems import NOT_READY


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What a step of a session costs."""

    reads: Reads
    """Whether the model reads the new vectors alone, or all that are kept anew."""

    state_bytes: NonNegativeInt
    """What the model keeps of a session of the longest context, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A bundle that was to go live and did not."""

    bundle: str | None
    code: Code
    reason: str
    asked_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Which bundles are in memory, and which should be."""

    serving: str
    """What answers."""

    live: str | None
    """What LIVE names; another one than what answers was refused, or is loading."""

    kept: str | None
    """What answered before, kept for a rollback at once."""

    refused: Refused | None
    """What was refused last, and why, until something goes live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is live, and what may be asked."""

    name: str
    version: str
    bundles: Bundles
    bundle: dict[str, Any]
    card: dict[str, Any]
    serves: str
    """What answers: the network by its architecture, or its base alone where training
    brought nothing."""

    engine: str
    """What runs the network on this machine; `bundle.engine` says why."""

    has_texts: bool
    encodes_texts: bool
    """Whether the bundle knows what encodes a text; `bundle.encoder` says what."""

    sessions: SessionFacts

    limits: dict[str, Any]
    threads: NonNegativeInt


def info_router(service: Service) -> APIRouter:
    """Return the route, bound to a service."""
    router = APIRouter()

    @router.get(
        "/info",
        summary="The live bundle, its card, the limits",
        response_model=Info,
        responses=problems(NOT_READY),
    )
    async def info() -> Response:
        return json_response(_info(service))

    return router


def _info(service: Service) -> Info:
    settings, live = service.settings, service.live
    bundle, bundles = live.engine.bundle, service.bundles
    about = asdict(bundle.manifest)
    # the golden query is a check, hundreds of numbers long, and not for people
    del about["golden"]
    return Info(
        name="nextvec",
        version=version("nextvec"),
        bundles=Bundles(
            serving=bundles.name or bundle.manifest.version,
            live=None if bundles.pointer is None else bundles.pointer.version,
            kept=bundles.kept,
            refused=refused(bundles.refusal),
        ),
        bundle=about,
        card=bundle.card,
        serves=bundle.serves,
        engine=live.engine.name,
        has_texts=bundle.catalogue.texts is not None,
        encodes_texts=bundle.manifest.encoder is not None,
        sessions=_sessions(live),
        limits={
            **asdict(live.limits),
            "max_body_bytes": settings.max_body_bytes,
            "max_batch": settings.max_batch,
            "max_queue": settings.max_queue,
            "max_hitk_k": settings.max_hitk_k,
            "max_sessions": settings.max_sessions,
            "max_session_bytes": settings.max_session_bytes,
            "session_idle_s": settings.session_idle_s,
            "request_timeout_s": settings.request_timeout_s,
        },
        threads=service.threads,
    )


def refused(refusal: Refusal | None) -> Refused | None:
    """Return a refusal as it is told."""
    return None if refusal is None else Refused(**asdict(refusal))


def _sessions(live: Live) -> SessionFacts:
    engine, longest = live.engine, 0
    if engine.stepping is not None:
        longest = engine.stepping.state_bytes(live.limits.max_context)
    return SessionFacts(reads=engine.reads, state_bytes=longest)
