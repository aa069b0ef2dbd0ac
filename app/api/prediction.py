"""What `POST /predict` takes and answers, for the OpenAPI document."""

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from nextvec.app.api.openapi import Json, header, parameter, problems
from nextvec.app.settings import Settings
from nextvec.app.wire.answers import Prediction
from nextvec.app.wire.options import OPTION_NAMES
from nextvec.app.wire.problems import (
    BAD_REQUEST,
    INVALID_STATE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PROBLEM_TYPES,
    SESSION_GONE,
    UNKNOWN_SESSION,
)
from nextvec.app.wire.requests import MAX_TEXT

_Names = Annotated[list[str], Field(min_length=1)]
_Vector = Annotated[list[float], Field(min_length=1)]
_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]

_ELSEWHERE: Final = (BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED)
# Refused before any route is asked.

_OF_SESSIONS: Final = (INVALID_STATE, UNKNOWN_SESSION, SESSION_GONE)

PREDICT_PROBLEMS: Final = tuple(
    kind for kind in PROBLEM_TYPES if kind not in (*_ELSEWHERE, *_OF_SESSIONS)
)
"""What can be wrong with a context and its options, or with answering it."""


@with_config(extra="forbid")
class Id(TypedDict):
    """A vector that the index holds, by its name."""

    id: str


@with_config(extra="forbid")
class Text(TypedDict):
    """A text, encoded as the corpus was."""

    text: _Text


@with_config(
    use_attribute_docstrings=True,
    extra="forbid",
    json_schema_extra={
        "oneOf": [{"required": [name]} for name in ("context", "ids", "texts")]
    },
)
class PredictBody(TypedDict, total=False):
    """A context, as vectors, ids or texts or mixed, and options."""

    context: Annotated[list[_Vector | Id | Text], Field(min_length=1)]
    """What came so far, oldest first: vectors of any length but 0, names of vectors
    that the index holds, and texts."""

    ids: _Names
    """Instead: names of vectors that the index holds."""

    texts: Annotated[list[_Text], Field(min_length=1)]
    """Instead: texts, encoded as the corpus was."""

    k: Annotated[int, Field(ge=1)]
    """Neighbors wanted."""

    exclude_context: bool
    """Leave out what is in the context. By default as in the bundle's validation:
    true, but false for items that return in sequences."""

    documents: _Names
    """The only documents to search."""

    exclude_documents: _Names
    """Documents not to search."""

    return_vector: Annotated[bool, Field(default=False)]
    """Also return the predicted vector."""

    return_texts: Annotated[bool, Field(default=True)]
    """Also return texts, where there are any."""


def body_schema(settings: Settings, kind: type = PredictBody) -> Json:
    """Return the schema of a JSON body, with the limits of these settings."""
    body = TypeAdapter(kind).json_schema()
    fields = body["properties"]
    for name in ("context", "ids", "texts"):
        fields[name]["maxItems"] = settings.max_context
    fields["k"]["maximum"] = settings.max_k
    fields["k"]["default"] = min(settings.default_k, settings.max_k)
    return body


def option_parameters(body: Json) -> list[Json]:
    """Describe the options of a body as query parameters."""
    return [
        parameter(name, f"With octets only. {field['description']}", field)
        for name, field in body["properties"].items()
        if name in OPTION_NAMES
    ]


OCTETS_CONTENT: Final[Json] = {
    "schema": {"type": "string", "format": "binary"},
    "examples": {"one vector of two numbers": {"value": "\0\0\0?\0\0\0?"}},
}


def predict_operation(settings: Settings) -> dict[str, Any]:
    """Describe the route for its decorator, with the limits of these settings."""
    body = body_schema(settings)
    timing = header("Server-Timing", "Milliseconds in parse, queue, model, search.")
    return {
        "summary": "Predict the next vector, and find what is nearest to it",
        "response_model": Prediction,
        "response_description": "The neighbors, best first.",
        "responses": {
            200: {"headers": timing},
            **problems(*PREDICT_PROBLEMS),
        },
        "openapi_extra": {
            "parameters": option_parameters(body),
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": body,
                        "examples": {
                            "vectors": {"value": {"context": [[0.1, 0.2], [0.3, 0.1]]}},
                            "ids": {"value": {"ids": ["intro:0", "intro:1"], "k": 5}},
                            "texts": {"value": {"texts": ["First.", "And then?"]}},
                            "mixed": {
                                "value": {
                                    "context": [
                                        {"id": "intro:0"},
                                        {"text": "And then?"},
                                        [0.1, 0.2],
                                    ]
                                }
                            },
                        },
                    },
                    "application/octet-stream": OCTETS_CONTENT,
                },
            },
        },
    }
