"""Answers and problems as responses."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from nextvec.app.api.media import JSON
from nextvec.app.wire.problems import MEDIA_TYPE, ProblemType, problem_body


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return what orjson takes, NumPy's numbers too, as a response of JSON."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, media_type=JSON, headers=headers)


def problem_response(
    kind: ProblemType,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> Response:
    """Return a problem as a response.

    Args:
        kind: its type.
        detail: what was expected and what came.
        status: where it differs from the type's own (an HTTP error of the framework).
        headers: headers to add.
        request_id: where the log can be searched for more.
    """
    code = kind.status if status is None else status
    return Response(
        problem_body(kind, detail, status=code, request_id=request_id),
        code,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )
