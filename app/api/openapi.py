"""How routes that take and return bytes describe themselves to FastAPI."""

from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from nextvec.app.api.timeouts import TIMEOUT
from nextvec.app.wire.problems import (
    MEDIA_TYPE,
    OVERLOADED,
    RATE_LIMITED,
    Problem,
    ProblemType,
    problem_body,
)

Json = dict[str, Any]

_DETAIL: Final = "what was expected and what came"


def problems(*kinds: ProblemType) -> dict[int | str, Json]:
    """Describe each status once, with an example of each of its types."""
    return {
        status: _problem(status, [kind for kind in kinds if kind.status == status])
        for status in dict.fromkeys(kind.status for kind in kinds)
    }


def _problem(status: int, kinds: list[ProblemType]) -> Json:
    response: Json = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind.slug: {"value": _example(kind)} for kind in kinds},
            }
        },
    }
    if status in {OVERLOADED.status, RATE_LIMITED.status}:
        response["headers"] = header("Retry-After", "Seconds to wait.", "integer")
    return response


def _example(kind: ProblemType) -> Any:  # noqa: ANN401 - JSON
    return orjson.loads(problem_body(kind, _DETAIL))


def add_problem(document: Json) -> None:
    """Add what `problems` refers to: FastAPI would, but as ``application/json``."""
    document["components"]["schemas"]["Problem"] = TypeAdapter(Problem).json_schema()


def parameter(name: str, description: str, schema: Json, *, of: str = "query") -> Json:
    """Describe a parameter in the query or in the header."""
    return {"name": name, "in": of, "description": description, "schema": schema}


def timeout(beside: str) -> Json:
    """Describe the header in which a request says how long its answer may take.

    Args:
        beside: what holds of the route beside that, a sentence.
    """
    return parameter(
        TIMEOUT,
        f"Milliseconds that the answer may take, once the request is there. {beside}",
        {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        of="header",
    )


def header(name: str, description: str, kind: str = "string") -> Json:
    """Describe a header of an answer."""
    return {name: {"description": description, "schema": {"type": kind}}}
