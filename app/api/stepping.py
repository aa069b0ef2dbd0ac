"""What the routes of sessions take and answer, for the OpenAPI document."""

from typing import Any, Final, NotRequired

from pydantic import NonNegativeInt, PositiveInt, with_config
from typing_extensions import TypedDict

from nextvec.app.api.openapi import Json, header, problems
from nextvec.app.api.prediction import (
    PREDICT_PROBLEMS,
    TIMING,
    PredictBody,
    body_schema,
    option_parameters,
    request_body,
    timeout_parameter,
)
from nextvec.app.inference.engine import Reads
from nextvec.app.settings import Settings
from nextvec.app.wire.answers import Prediction
from nextvec.app.wire.problems import (
    INVALID_STATE,
    NOT_READY,
    SESSION_GONE,
    UNKNOWN_SESSION,
    ProblemType,
)

_NAME: Final = header("Location", "Where the session is.")


@with_config(use_attribute_docstrings=True)
class SessionContent(TypedDict):
    """An open session."""

    session: str
    """Its name, which nobody can guess; whoever knows it may use the session."""

    num_vectors: NonNegativeInt
    """Vectors that it has been given."""

    num_context: NonNegativeInt
    """The newest of them, which are kept."""

    max_context: PositiveInt
    """Most that are kept."""

    reads: Reads
    """Whether a step reads the new vectors alone, or the model can but read all that
    are kept anew."""

    size_bytes: NonNegativeInt
    """What it takes in memory."""

    idle_s: float
    """How long it is kept when it is not used, in seconds."""

    bundle: str
    """What answers it; it ends when another bundle is live."""


@with_config(use_attribute_docstrings=True)
class OpenedSession(SessionContent):
    """A session that has just been opened."""

    prediction: NotRequired[Prediction]
    """After the first context, if there was one."""


@with_config(use_attribute_docstrings=True)
class StepContent(Prediction):
    """What comes next, and what to ask with after that."""

    state: str
    """The session as it is now, to be sent with the next step."""


@with_config(use_attribute_docstrings=True, extra="forbid")
class StepBody(PredictBody, total=False):
    """New vectors, as a context of /predict is given, and options."""

    state: str
    """What the answer before this held; without it a session begins."""


def open_operation(settings: Settings) -> dict[str, Any]:
    """Describe `POST /sessions`."""
    return {
        "summary": "Open a session",
        "status_code": 201,
        "response_model": OpenedSession,
        "response_description": "The session, and what comes next if it is not empty.",
        "responses": {
            201: {"headers": {**_NAME, **TIMING}},
            **problems(*PREDICT_PROBLEMS),
        },
        **_takes(settings, "With a first context, or without any.", is_required=False),
    }


def append_operation(settings: Settings) -> dict[str, Any]:
    """Describe `POST /sessions/{session}`."""
    return {
        "summary": "Give a session new vectors, and predict what comes next",
        "response_model": Prediction,
        "response_description": "The neighbors, best first.",
        "responses": {
            200: {"headers": TIMING},
            **problems(*PREDICT_PROBLEMS, UNKNOWN_SESSION, SESSION_GONE),
        },
        **_takes(settings, "The new vectors, mostly one."),
    }


def step_operation(settings: Settings) -> dict[str, Any]:
    """Describe `POST /step`."""
    body = body_schema(settings, StepBody)
    return {
        "summary": "The same for a session that the client holds",
        "response_model": StepContent,
        "response_description": "The neighbors, best first, and the new state.",
        "responses": {
            200: {"headers": TIMING},
            **problems(*PREDICT_PROBLEMS, INVALID_STATE, SESSION_GONE),
        },
        "openapi_extra": {
            "parameters": [timeout_parameter(settings)],
            "requestBody": request_body(
                body, {"first": {"ids": ["intro:0"]}}, takes_octets=False
            ),
        },
    }


def about_operation() -> dict[str, Any]:
    """Describe `GET /sessions/{session}`."""
    return {
        "summary": "What a session has been given, and how long it is kept",
        "response_model": SessionContent,
        "responses": _own_problems(),
    }


def delete_operation() -> dict[str, Any]:
    """Describe `DELETE /sessions/{session}`."""
    return {
        "summary": "Forget a session",
        "status_code": 204,
        "responses": _own_problems(),
    }


def _own_problems() -> dict[int | str, Json]:
    kinds: tuple[ProblemType, ...] = (UNKNOWN_SESSION, SESSION_GONE, NOT_READY)
    return problems(*kinds)


def _takes(settings: Settings, description: str, *, is_required: bool = True) -> Json:
    """Describe a body that is one of `/predict`."""
    body = body_schema(settings)
    return {
        "openapi_extra": {
            "parameters": [*option_parameters(body), timeout_parameter(settings)],
            "requestBody": request_body(
                body,
                {"an id": {"ids": ["intro:0"], "k": 5}},
                description=description,
                is_required=is_required,
            ),
        }
    }
