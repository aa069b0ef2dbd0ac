"""What `POST /predict` and `/predict/batch` take and answer, for OpenAPI."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from nextvec.app.api.media import JSON, OCTETS
from nextvec.app.api.openapi import Json, header, parameter, problems, timeout
from nextvec.app.settings import Settings
from nextvec.app.wire.answers import BatchPrediction, Prediction
from nextvec.app.wire.contexts import KINDS, MAX_TEXT
from nextvec.app.wire.layouts import DTYPES
from nextvec.app.wire.options import OPTION_NAMES
from nextvec.app.wire.problems import (
    BUNDLE_REFUSED,
    DOOR_PROBLEMS,
    HEAD_TOO_LARGE,
    INVALID_STATE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PROBLEM_TYPES,
    REQUEST_TIMEOUT,
    SESSION_GONE,
    UNKNOWN_BUNDLE,
    UNKNOWN_SESSION,
)
from nextvec.app.wire.requests import PLURAL

_Names = Annotated[list[str], Field(min_length=1)]
_Vector = Annotated[list[float], Field(min_length=1)]
_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
_Texts = Annotated[list[_Text], Field(min_length=1)]

_ELSEWHERE: Final = (NOT_FOUND, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT, HEAD_TOO_LARGE)
# Refused before any route is asked.

_OF_SESSIONS: Final = (INVALID_STATE, UNKNOWN_SESSION, SESSION_GONE)

_OF_BUNDLES: Final = (UNKNOWN_BUNDLE, BUNDLE_REFUSED)

PREDICT_PROBLEMS: Final = tuple(
    kind
    for kind in PROBLEM_TYPES
    if kind not in (*_ELSEWHERE, *DOOR_PROBLEMS, *_OF_SESSIONS, *_OF_BUNDLES)
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


_Context = Annotated[list[_Vector | Id | Text], Field(min_length=1)]


class _Options(TypedDict, total=False):
    # described by Field: pydantic reads no docstrings of what is inherited
    k: Annotated[int, Field(ge=1, description="Neighbors wanted.")]
    exclude_context: Annotated[
        bool,
        Field(
            description="Leave out what is in the context. By default as in the "
            "bundle's validation: true, but false for items that return in sequences."
        ),
    ]
    documents: Annotated[_Names, Field(description="The only documents to search.")]
    exclude_documents: Annotated[_Names, Field(description="Documents not to search.")]
    return_vector: Annotated[
        bool, Field(default=False, description="Also return the predicted vector.")
    ]
    return_texts: Annotated[
        bool,
        Field(default=True, description="Also return texts, where there are any."),
    ]


@with_config(
    use_attribute_docstrings=True,
    extra="forbid",
    json_schema_extra={"oneOf": [{"required": [name]} for name in KINDS]},
)
class PredictBody(_Options, total=False):
    """A context, as vectors, ids or texts or mixed, and options."""

    context: _Context
    """What came so far, oldest first: vectors of any length but 0, names of vectors
    that the index holds, and texts."""

    ids: _Names
    """Instead: names of vectors that the index holds."""

    texts: _Texts
    """Instead: texts, encoded as the corpus was."""


@with_config(
    use_attribute_docstrings=True,
    extra="forbid",
    json_schema_extra={"oneOf": [{"required": [name]} for name in PLURAL]},
)
class BatchBody(_Options, total=False):
    """Contexts, as vectors, ids or texts or mixed, and options for all of them."""

    contexts: list[_Context]
    """Each as `context` of `/predict`."""

    ids: list[_Names]
    """Instead: of each the names of vectors that the index holds."""

    texts: list[_Texts]
    """Instead: of each the texts."""


def body_schema(settings: Settings, kind: type = PredictBody) -> Json:
    """Return the schema of a JSON body of one context, with these limits."""
    body = _schema(kind, settings)
    for name in KINDS:
        body["properties"][name]["maxItems"] = settings.max_context
    return body


TIMING: Final = header("Server-Timing", "Milliseconds in parse, queue, model, search.")
"""Of every answer to a context."""


def request_body(
    body: Json,
    examples: Json,
    *,
    description: str | None = None,
    is_required: bool = True,
    takes_octets: bool = True,
) -> Json:
    """Describe what a route takes.

    Args:
        body: the schema of its JSON.
        examples: of that, by what each is called.
        description: of all of it, if there is more to say.
        is_required: whether there has to be one.
        takes_octets: whether vectors may be sent as they lie in memory.
    """
    content: Json = {
        JSON: {
            "schema": body,
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
    }
    if takes_octets:
        content[OCTETS] = _OCTETS_CONTENT
    told = {} if description is None else {"description": description}
    return {**told, "required": is_required, "content": content}


def timeout_parameter(settings: Settings) -> Json:
    """Describe the header that says how long an answer may take."""
    longest_ms = 1000 * settings.request_timeout_s
    return timeout(f"At most {longest_ms:g}, which it is without this header, too.")


def option_parameters(body: Json, layout: Sequence[Json] = ()) -> list[Json]:
    """Describe the layout of octets and the options of a body as query parameters."""
    return [
        _DTYPE,
        *layout,
        *(
            parameter(name, f"With octets only. {field['description']}", field)
            for name, field in body["properties"].items()
            if name in OPTION_NAMES
        ),
    ]


_OCTETS_CONTENT: Final[Json] = {
    "schema": {"type": "string", "format": "binary"},
    "examples": {"one vector of two numbers": {"value": "\0\0\0?\0\0\0?"}},
}


def predict_operation(settings: Settings) -> dict[str, Any]:
    """Describe the route of one context, with the limits of these settings."""
    body = body_schema(settings)
    return {
        "summary": "Predict the next vector, and find what is nearest to it",
        "response_model": Prediction,
        "response_description": "The neighbors, best first.",
        **_operation(
            settings,
            body,
            {
                "vectors": {"context": [[0.1, 0.2], [0.3, 0.1]]},
                "ids": {"ids": ["intro:0", "intro:1"], "k": 5},
                "texts": {"texts": ["First.", "And then?"]},
                "mixed": {
                    "context": [
                        {"id": "intro:0"},
                        {"text": "And then?"},
                        [0.1, 0.2],
                    ]
                },
            },
            [],
        ),
    }


def batch_operation(settings: Settings) -> dict[str, Any]:
    """Describe the route of several contexts, with the limits of these settings."""
    body = _schema(BatchBody, settings)
    most = settings.most_contexts
    for name in PLURAL:
        contexts = body["properties"][name]
        contexts |= {"minItems": 1, "maxItems": most}
        contexts["items"]["maxItems"] = settings.max_context
    return {
        "summary": "Predict after each of several contexts, all or none",
        "response_model": BatchPrediction,
        "response_description": "The neighbors after each context, in their order.",
        **_operation(
            settings,
            body,
            {
                "vectors": {"contexts": [[[0.1, 0.2], [0.3, 0.1]], [[0.2, 0.2]]]},
                "ids": {"ids": [["intro:0", "intro:1"], ["intro:7"]], "k": 5},
                "texts": {"texts": [["First.", "And then?"], ["Or this."]]},
                "mixed": {"contexts": [[{"id": "intro:0"}, [0.1, 0.2]], [[0.3, 0.1]]]},
            },
            _LAYOUT,
        ),
    }


_DTYPE: Final = parameter(
    "dtype",
    "With octets only. What each number is, little-endian; or as a parameter of their "
    "media type.",
    {"type": "string", "enum": list(DTYPES), "default": "float32"},
)

_LAYOUT: Final = (
    parameter(
        "shape",
        "With octets only, which need this or `lengths`: `B,W,D` of contexts of one "
        "length.",
        {"type": "string", "pattern": r"^[0-9]+,[0-9]+,[0-9]+$"},
    ),
    parameter(
        "lengths",
        "With octets only: vectors of each context, which lie one after another.",
        {"type": "string", "pattern": r"^[0-9]+(,[0-9]+)*$"},
    ),
)


def _schema(body: Any, settings: Settings) -> dict[str, Any]:  # noqa: ANN401 - a type
    schema = TypeAdapter(body).json_schema()
    schema["properties"]["k"]["maximum"] = settings.max_k
    schema["properties"]["k"]["default"] = settings.k_by_default
    # what is asked stands before how it is to be answered
    fields = schema["properties"]
    options = {name: fields.pop(name) for name in OPTION_NAMES}
    fields |= options
    return schema


def _operation(
    settings: Settings,
    body: dict[str, Any],
    examples: dict[str, Any],
    layout: Sequence[Json],
) -> dict[str, Any]:
    return {
        "responses": {200: {"headers": TIMING}, **problems(*PREDICT_PROBLEMS)},
        "openapi_extra": {
            "parameters": [
                *option_parameters(body, layout),
                timeout_parameter(settings),
            ],
            "requestBody": request_body(body, examples),
        },
    }
