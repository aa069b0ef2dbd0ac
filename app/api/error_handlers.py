"""Errors of the domain and of the framework, answered as problems."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from nextvec.app.api.guard import refusal_headers
from nextvec.app.api.middleware import request_id
from nextvec.app.api.responses import problem_response
from nextvec.app.arrival import address_of, arrival_of
from nextvec.app.errors import EncodedBodyError
from nextvec.app.wire.problems import INTERNAL_ERROR, type_of_error, type_of_status
from nextvec.app.wire.quoting import cut
from nextvec.training.errors import ProjectError

_GONE: Final = 499
# What nginx logs for a client that left; nobody reads the answer.


def add_error_handlers(
    app: FastAPI, *, retry_after_s: Callable[[], int], on_gone: Callable[[], None]
) -> None:
    """Answer errors as problems.

    Args:
        app: whose errors these are.
        retry_after_s: asked what a 503 tells the client to wait, in seconds.
        on_gone: told of each client that left before its answer.
    """

    async def domain_error(request: Request, error: Exception) -> Response:
        kind = type_of_error(error)
        if kind is INTERNAL_ERROR:
            # no client did this: the edge of the app logs it and answers
            raise error
        headers = refusal_headers(error)
        if kind.status == 503:
            wait_s = retry_after_s()
            headers["Retry-After"] = str(wait_s)
            scope = request.scope
            arrival_of(scope).visitor.tell_to_wait(address_of(scope), wait_s)
        if isinstance(error, EncodedBodyError):
            # RFC 9110, 15.5.16: so a client can tell the coding from the type
            headers["Accept-Encoding"] = "identity"
        return problem_response(
            kind, str(error), headers=headers, request_id=request_id(request.scope)
        )

    async def client_left(_: Request, __: Exception) -> Response:
        on_gone()
        return Response(status_code=_GONE)

    app.add_exception_handler(ProjectError, domain_error)
    app.add_exception_handler(ClientDisconnect, client_left)
    app.add_exception_handler(HTTPException, _http_error)


async def _http_error(request: Request, error: Exception) -> Response:
    """Give the framework's own errors the body that all others have."""
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(
        type_of_status(error.status_code),
        f"{cut(request.method)} {cut(request.url.path)}: {error.detail}",
        status=error.status_code,
        headers=error.headers,
        request_id=request_id(request.scope),
    )
