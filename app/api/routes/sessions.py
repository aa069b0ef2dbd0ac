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
from nextvec.app.errors import UnsupportedBodyError
from nextvec.app.inference.engine import Query
from nextvec.app.service import Live, Service
from nextvec.app.sessions.session import Session, Step
from nextvec.app.wire.quoting import cut
from nextvec.app.wire.requests import PredictRequest


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
            prediction, headers = outcome
            content["prediction"] = orjson.Fragment(prediction)
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
        if outcome is None:
            return gone(service)
        return Response(outcome[0], media_type=JSON, headers=outcome[1])

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
        window, taken = live.limits.max_context, list[Step]()

        def step_of(asked: PredictRequest, query: Query) -> Step:
            if asked.state is None:
                session = Session.new(live.engine, window)
            else:
                session = service.tokens.read(asked.state, live.engine, window)
            taken.append(Step(session, query))
            return taken[0]

        def state() -> dict[str, str]:
            return {"state": service.tokens.write(taken[0].session)}

        outcome = await answered(
            service,
            request,
            live,
            body,
            takes_state=True,
            item_of=step_of,
            beside=state,
        )
        if outcome is None:
            return gone(service)
        _count(service, taken[0])
        return Response(outcome[0], media_type=JSON, headers=outcome[1])

    return router


async def _taken(
    service: Service, request: Request, live: Live, body: bytes, session: Session
) -> tuple[bytes, dict[str, str]] | None:
    """Take a step with what a body holds; None if the client left."""
    taken: list[Step] = []

    def step_of(_: PredictRequest, query: Query) -> Step:
        taken.append(Step(session, query))
        return taken[0]

    outcome = await answered(service, request, live, body, item_of=step_of)
    if outcome is not None:
        _count(service, taken[0])
    return outcome


def _count(service: Service, step: Step) -> None:
    reads = "anew" if step.reads_anew else "new"
    service.metrics.session_steps.labels(reads).inc()


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
