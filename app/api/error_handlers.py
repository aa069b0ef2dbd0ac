"""Errors of the domain and of the framework, answered as problems."""

from collections.abc import Callable, MutableMapping
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from nextvec.app.api.middleware import request_id
from nextvec.app.api.responses import problem_response
from nextvec.app.arrival import address_of, arrival_of
from nextvec.app.errors import (
    EncodedBodyError,
    ForbiddenError,
    RateLimitedError,
    UnauthenticatedError,
)
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
        return error_response(error, request.scope, retry_after_s=retry_after_s())

    async def client_left(_: Request, __: Exception) -> Response:
        on_gone()
        return Response(status_code=_GONE)

    app.add_exception_handler(ProjectError, domain_error)
    app.add_exception_handler(ClientDisconnect, client_left)
    app.add_exception_handler(HTTPException, _http_error)


def error_response(
    error: Exception, scope: MutableMapping[str, Any], *, retry_after_s: int
) -> Response:
    """Return an error of the domain as a problem, with all that headers tell of it.

    Args:
        error: a client's, or one that passes.
        scope: of the request, whose client is from then on known to have been told.
        retry_after_s: what a 503 tells it to wait, in seconds.
    """
    kind, headers = type_of_error(error), _headers_of(error)
    if kind.status == 503:
        headers["Retry-After"] = str(retry_after_s)
        arrival_of(scope).visitor.tell_to_wait(address_of(scope), retry_after_s)
    return problem_response(
        kind, str(error), headers=headers, request_id=request_id(scope)
    )


def _headers_of(error: Exception) -> dict[str, str]:
    """Return what a client is told in headers of why it was refused.

    RFC 6750 has the challenges, RFC 6585 the time to wait.
    """
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="nextvec"'}
    if isinstance(error, ForbiddenError):
        challenge = 'Bearer realm="nextvec", error="insufficient_scope"'
        return {"WWW-Authenticate": challenge}
    if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, EncodedBodyError):
        # RFC 9110, 15.5.16: so a client can tell the coding from the type
        return {"Accept-Encoding": "identity"}
    return {}


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
