"""Sessions: vectors as they come, and a prediction after each for one step."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from nextvec.app.api.media import JSON
from nextvec.app.api.responses import json_response
from nextvec.app.api.routes.predict import Received, Reply, answered, receive
from nextvec.app.api.stepping import (
    SessionContent,
    about_operation,
    append_operation,
    delete_operation,
    open_operation,
    step_operation,
)
from nextvec.app.errors import InvalidOptionError
from nextvec.app.inference.engine import Query
from nextvec.app.service import Service
from nextvec.app.sessions.session import Session, Step
from nextvec.app.wire.quoting import quoted
from nextvec.app.wire.requests import PredictRequest, decode_step


def sessions_router(service: Service) -> APIRouter:
    """Return the routes, bound to a service."""
    router, settings = APIRouter(), service.settings

    @router.post("/sessions", **open_operation(settings))
    async def open_session(request: Request) -> Response:
        asked = await receive(service, request, needs_body=False)
        live = asked.live
        session = Session.new(live.engine, live.limits.max_context)
        content: dict[str, Any] = {}
        headers: dict[str, str] = {}
        if asked.body:
            reply = await _taken(service, request, asked, session)
            content["prediction"] = orjson.Fragment(reply.content)
            headers = reply.headers
        elif request.query_params:
            name = quoted(next(iter(request.query_params)))
            detail = f"{name}: expected a context beside it, got no body"
            raise InvalidOptionError(detail)
        name = service.sessions.add(session)
        headers["Location"] = f"{request.scope.get('root_path', '')}/sessions/{name}"
        about = _about(service, name, session)
        return json_response({**about, **content}, status=201, headers=headers)

    @router.post("/sessions/{session}", **append_operation(settings))
    async def append_to_session(session: str, request: Request) -> Response:
        # the body first: until it is there the session may be gone
        asked = await receive(service, request)
        known = service.sessions.get(session, asked.live.engine)
        return (await _taken(service, request, asked, known)).response()

    @router.get("/sessions/{session}", **about_operation())
    async def describe_session(session: str) -> Response:
        known = service.sessions.get(session, service.live.engine)
        return json_response(_about(service, session, known))

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
        asked = await receive(service, request, understood=(JSON,))
        live, taken = asked.live, list[Step]()

        def step_of(told: PredictRequest, query: Query) -> Step:
            engine, window = live.engine, live.limits.max_context
            if told.state is None:
                session = Session.new(engine, window)
            else:
                session = service.tokens.read(told.state, engine, window)
            taken.append(Step(session, query))
            return taken[0]

        def state() -> dict[str, str]:
            return {"state": service.tokens.write(taken[0].session)}

        reply = await answered(
            service, request, asked, decode=decode_step, item_of=step_of, beside=state
        )
        _count(service, taken[0])
        return reply.response()

    return router


async def _taken(
    service: Service, request: Request, asked: Received, session: Session
) -> Reply:
    """Take a step with what a body holds."""
    taken: list[Step] = []

    def step_of(_: PredictRequest, query: Query) -> Step:
        taken.append(Step(session, query))
        return taken[0]

    reply = await answered(service, request, asked, item_of=step_of)
    _count(service, taken[0])
    return reply


def _count(service: Service, step: Step) -> None:
    reads = "anew" if step.reads_anew else "new"
    service.metrics.session_steps.labels(reads).inc()


def _about(service: Service, name: str, session: Session) -> SessionContent:
    return {
        "session": name,
        "num_vectors": session.total,
        "num_context": len(session.trail),
        "max_context": session.window,
        "reads": session.engine.reads,
        "size_bytes": session.size_bytes,
        "idle_s": service.settings.session_idle_s,
        "bundle": session.engine.bundle.manifest.version,
    }
