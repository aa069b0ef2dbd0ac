"""What went wrong, for clients: RFC 9457 problem details, one closed list of types.

`docs/api.md` lists them. The added member ``error`` repeats the detail as a plain
string, which is what clients of the Open Inference Protocol read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NotRequired

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from nextvec.app.errors import (
    BodyTooLargeError,
    BundleRefusedError,
    DeadlineExceededError,
    ForbiddenError,
    InvalidContextError,
    InvalidHeaderError,
    InvalidOptionError,
    InvalidStateError,
    KeysUnusableError,
    MalformedBodyError,
    NoEncoderError,
    NotApplicableError,
    NotReadyError,
    OverloadedError,
    RateLimitedError,
    SessionGoneError,
    UnauthenticatedError,
    UnknownBundleError,
    UnknownDocumentError,
    UnknownIdError,
    UnknownSessionError,
    UnsupportedBodyError,
)
from nextvec.training.errors import ProjectError

MEDIA_TYPE: Final = "application/problem+json"
_PREFIX: Final = "urn:nextvec:problem:"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of error a client can act on."""

    slug: str
    status: int
    title: str

    @property
    def uri(self) -> str:
        """What the member ``type`` holds."""
        return _PREFIX + self.slug


MALFORMED_BODY: Final = ProblemType("malformed-body", 400, "The body cannot be read")
NOT_APPLICABLE: Final = ProblemType(
    "not-applicable", 400, "The live corpus has nothing to apply this to"
)
INVALID_STATE: Final = ProblemType(
    "invalid-state", 400, "The state is none that this service gave"
)
BAD_REQUEST: Final = ProblemType("bad-request", 400, "The request cannot be answered")
UNAUTHENTICATED: Final = ProblemType("unauthenticated", 401, "A valid key is needed")
FORBIDDEN: Final = ProblemType("forbidden", 403, "The key is not for this")
NOT_FOUND: Final = ProblemType("not-found", 404, "There is nothing at this path")
UNKNOWN_SESSION: Final = ProblemType(
    "unknown-session", 404, "No session is called that"
)
UNKNOWN_BUNDLE: Final = ProblemType("unknown-bundle", 404, "No bundle is called that")
METHOD_NOT_ALLOWED: Final = ProblemType(
    "method-not-allowed", 405, "The path does not take this method"
)
REQUEST_TIMEOUT: Final = ProblemType(
    "request-timeout", 408, "The request took too long to arrive"
)
BUNDLE_REFUSED: Final = ProblemType(
    "bundle-refused", 409, "The bundle cannot go live; what was live is"
)
SESSION_GONE: Final = ProblemType("session-gone", 410, "The session is there no more")
BODY_TOO_LARGE: Final = ProblemType("body-too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE: Final = ProblemType(
    "unsupported-media-type", 415, "The body is of a type that is not understood"
)
INVALID_CONTEXT: Final = ProblemType(
    "invalid-context", 422, "The context holds no usable vectors"
)
INVALID_OPTION: Final = ProblemType("invalid-option", 422, "An option is not usable")
UNKNOWN_ID: Final = ProblemType("unknown-id", 422, "The index holds no such id")
UNKNOWN_DOCUMENT: Final = ProblemType(
    "unknown-document", 422, "The index holds no such document"
)
RATE_LIMITED: Final = ProblemType(
    "rate-limited", 429, "More was asked than may be in this time"
)
HEAD_TOO_LARGE: Final = ProblemType(
    "head-too-large", 431, "Request line and headers are too long"
)
INTERNAL_ERROR: Final = ProblemType("internal-error", 500, "Something is broken here")
NO_ENCODER: Final = ProblemType("no-encoder", 501, "Texts cannot be encoded here")
KEYS_UNUSABLE: Final = ProblemType(
    "keys-unusable", 503, "The keys of this service cannot be read"
)
NOT_READY: Final = ProblemType("not-ready", 503, "The service is not ready")
OVERLOADED: Final = ProblemType("overloaded", 503, "Too many requests are waiting")
DEADLINE_EXCEEDED: Final = ProblemType(
    "deadline-exceeded", 504, "The answer took too long"
)

PROBLEM_TYPES: Final = (
    MALFORMED_BODY,
    NOT_APPLICABLE,
    INVALID_STATE,
    BAD_REQUEST,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    UNKNOWN_SESSION,
    UNKNOWN_BUNDLE,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    BUNDLE_REFUSED,
    SESSION_GONE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_CONTEXT,
    INVALID_OPTION,
    UNKNOWN_ID,
    UNKNOWN_DOCUMENT,
    RATE_LIMITED,
    HEAD_TOO_LARGE,
    INTERNAL_ERROR,
    NO_ENCODER,
    KEYS_UNUSABLE,
    NOT_READY,
    OVERLOADED,
    DEADLINE_EXCEEDED,
)

DOOR_PROBLEMS: Final = (UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, KEYS_UNUSABLE)
"""What may be answered at the door, whatever is behind it."""

_OF_STATUS: Final = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 422: INVALID_OPTION}


_TYPE_OF_ERROR: Final[Mapping[type[ProjectError], ProblemType]] = {
    MalformedBodyError: MALFORMED_BODY,
    UnsupportedBodyError: UNSUPPORTED_MEDIA_TYPE,
    BodyTooLargeError: BODY_TOO_LARGE,
    InvalidContextError: INVALID_CONTEXT,
    InvalidOptionError: INVALID_OPTION,
    NotApplicableError: NOT_APPLICABLE,
    UnknownIdError: UNKNOWN_ID,
    UnknownDocumentError: UNKNOWN_DOCUMENT,
    InvalidStateError: INVALID_STATE,
    InvalidHeaderError: BAD_REQUEST,
    UnknownSessionError: UNKNOWN_SESSION,
    SessionGoneError: SESSION_GONE,
    UnknownBundleError: UNKNOWN_BUNDLE,
    BundleRefusedError: BUNDLE_REFUSED,
    NoEncoderError: NO_ENCODER,
    NotReadyError: NOT_READY,
    OverloadedError: OVERLOADED,
    DeadlineExceededError: DEADLINE_EXCEEDED,
    UnauthenticatedError: UNAUTHENTICATED,
    ForbiddenError: FORBIDDEN,
    RateLimitedError: RATE_LIMITED,
    KeysUnusableError: KEYS_UNUSABLE,
}


def type_of_error(error: Exception) -> ProblemType:
    """Return the type of problem that an error is: the nearest of its classes'.

    Example:
        >>> type_of_error(OverloadedError("256 wait")).slug
        'overloaded'
        >>> type_of_error(KeyError("a bug")).slug
        'internal-error'
    """
    classes = type(error).__mro__
    known = (_TYPE_OF_ERROR[c] for c in classes if c in _TYPE_OF_ERROR)
    return next(known, INTERNAL_ERROR)


class Problem(TypedDict):
    """RFC 9457 problem details."""

    type: Annotated[
        str, Field(json_schema_extra={"enum": [kind.uri for kind in PROBLEM_TYPES]})
    ]
    title: str
    status: int
    detail: str
    error: str
    request_id: NotRequired[str]


def problem_body(
    kind: ProblemType,
    detail: str,
    *,
    status: int | None = None,
    request_id: str | None = None,
) -> bytes:
    """Return a problem as JSON (`MEDIA_TYPE`).

    Args:
        kind: one of `PROBLEM_TYPES`.
        detail: what was expected and what came.
        status: where it differs from the type's own (an HTTP error of the framework).
        request_id: where the log can be searched for more.
    """
    body: Problem = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status if status is None else status,
        "detail": detail,
        "error": f"{kind.title}: {detail}",
    }
    if request_id is not None:
        body["request_id"] = request_id
    return orjson.dumps(body)


def type_of_status(status: int) -> ProblemType:
    """Return the type for an HTTP error that the framework itself raised.

    Example:
        >>> type_of_status(404).slug
        'not-found'
    """
    fallback = INTERNAL_ERROR if status >= 500 else BAD_REQUEST
    return _OF_STATUS.get(status, fallback)
