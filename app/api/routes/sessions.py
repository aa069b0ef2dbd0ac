"""Sessions: vectors as they come, and a prediction after each for one step."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from nextvec.app.api.media import media_type
from nextvec.app.api.routes.predict import JSON, answered, gone
from nextvec.app.api.stepping import (
    SessionContent,
    about_operation,
    append_operation,
    delete_operation,
    open_operation,
    step_operation,
)
from nextvec.app.errors import InvalidStateError, UnsupportedBodyError
from nextvec.app.inference.engine import Query
from nextvec.app.service import Live, Service
from nextvec.app.sessions.session import Session, Step
from nextvec.app.wire.answers import Prediction
from nextvec.app.wire.options import name_of
from nextvec.app.wire.quoting import cut


def sessions_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router, settings = APIRouter(), service.settings

    @router.post("/sessions", **open_operation(settings))
    async def open_session(request: Request) -> Response:
        live = service.live
        try:
            body = await request.body()
        except ClientDisconnect:
            return gone(service)
        session = Session.new(live.engine, live.limits.max_context)
        content: dict[str, Any] = {}
        headers: dict[str, str] = {}
        if body:
            outcome = await _taken(service, request, live, body, session)
            if outcome is None:
                return gone(service)
            content["prediction"], headers = outcome
        name = service.sessions.add(session)
        headers["Location"] = f"{request.scope.get('root_path', '')}/sessions/{name}"
        about = _about(service, name, session)
        return _json({**about, **content}, headers, status=201)

    @router.post("/sessions/{session}", **append_operation(settings))
    async def append_to_session(session: str, request: Request) -> Response:
        live = service.live
        try:
            body = await request.body()
        except ClientDisconnect:
            return gone(service)
        known = service.sessions.get(session, live.engine)
        outcome = await _taken(service, request, live, body, known)
        return gone(service) if outcome is None else _json(*outcome)

    @router.get("/sessions/{session}", **about_operation())
    async def describe_session(session: str) -> Response:
        known = service.sessions.get(session, service.live.engine)
        return _json(_about(service, session, known))

    @router.delete("/sessions/{session}", **delete_operation())
    async def delete_session(session: str) -> Response:
        service.sessions.delete(session, service.live.engine)
        return Response(status_code=204)

    return router


def step_router(service: Service) -> APIRouter:
    """Return the route of sessions that clients hold, bound to a service."""
    router = APIRouter()

    @router.post("/step", **step_operation(service.settings))
    async def step(request: Request) -> Response:
        live = service.live
        try:
            body = await request.body()
        except ClientDisconnect:
            return gone(service)
        kind = media_type(request.headers)
        if kind != JSON:
            detail = f"expected {JSON}, got {cut(kind) or 'no content type'}"
            raise UnsupportedBodyError(detail)
        body, token = _apart(body)
        window = live.limits.max_context
        if token is None:
            session = Session.new(live.engine, window)
        else:
            session = service.tokens.read(token, live.engine, window)
        outcome = await _taken(service, request, live, body, session)
        if outcome is None:
            return gone(service)
        content, headers = outcome
        return _json({**content, "state": service.tokens.write(session)}, headers)

    return router


async def _taken(
    service: Service, request: Request, live: Live, body: bytes, session: Session
) -> tuple[Prediction, dict[str, str]] | None:
    """Take a step with what a body holds; None if the client left."""
    steps: list[Step] = []

    def step_of(query: Query) -> Step:
        steps.append(Step(session, query))
        return steps[0]

    outcome = await answered(service, request, live, body, step_of)
    if outcome is not None:
        reads = "anew" if steps[0].reads_anew else "new"
        service.metrics.session_steps.labels(reads).inc()
    return outcome


def _apart(body: bytes) -> tuple[bytes, str | None]:
    """Take the state out of a body, which is then one of `/predict`."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body, None
    if not isinstance(fields, dict) or "state" not in fields:
        return body, None
    token = fields.pop("state")
    if not (token is None or isinstance(token, str)):
        detail = f"state: expected a string, got {name_of(token)}"
        raise InvalidStateError(detail)
    return orjson.dumps(fields), token


def _about(service: Service, name: str, session: Session) -> SessionContent:
    return {
        "session": name,
        "num_vectors": session.total,
        "num_context": len(session.trail),
        "max_context": session.window,
        "reads": "anew" if session.engine.stepping is None else "new",
        "size_bytes": session.size_bytes,
        "idle_s": service.settings.session_idle_s,
        "bundle": session.engine.bundle.manifest.version,
    }


def _json(
    content: object, headers: dict[str, str] | None = None, *, status: int = 200
) -> Response:
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, media_type=JSON, headers=headers)
