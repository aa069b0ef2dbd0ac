"""Errors of the service that a caller can act on; none of them knows HTTP.

* ProjectError
  - RequestError              what was asked cannot be answered
    + InvalidHeaderError        a header cannot be read
    + MalformedBodyError        the body cannot be read
    + UnsupportedBodyError      the body is of a kind that is not understood
      . EncodedBodyError          it is compressed
    + BodyTooLargeError         the body is larger than may be
    + InvalidContextError       the context holds no usable vectors
    + InvalidOptionError        an option is not usable
    + NotApplicableError        the live corpus has nothing to apply an option to
    + UnknownIdError            the index holds no such id
    + UnknownDocumentError      the index holds no such document
    + InvalidStateError         the state of a session is none of this service's
    + UnknownSessionError       no session is called that
    + SessionGoneError          a session is there no more
    + UnknownBundleError        no bundle is called that
  - BundleRefusedError        a bundle cannot go live, and why
  - NoEncoderError            texts cannot be encoded here
  - NotReadyError             nothing is live
  - OverloadedError           as many requests wait as may, or for as long
  - DeadlineExceededError     the answer took too long
  - AccessError               who asks may not have this, or not now
    + UnauthenticatedError      a key is needed, and none that is valid came
    + ForbiddenError            the key is valid and not for this
    + RateLimitedError          more was asked than a key or an address may
    + KeysUnusableError         nobody can be told apart: the keys cannot be read

`nextvec.app.wire.problems` is the one table that turns them into problems.
"""

from nextvec.training.errors import ProjectError


class RequestError(ProjectError):
    """What was asked cannot be answered; says what was expected and what came."""


class InvalidHeaderError(RequestError):
    """A header cannot be read, or is out of bounds."""


class MalformedBodyError(RequestError):
    """The body cannot be read."""


class UnsupportedBodyError(RequestError):
    """The body is of a kind that is not understood."""


class EncodedBodyError(UnsupportedBodyError):
    """The body is compressed, or has another coding that must be undone first."""


class BodyTooLargeError(RequestError):
    """The body is larger than may be."""


class InvalidContextError(RequestError):
    """The context holds no usable vectors."""


class InvalidOptionError(RequestError):
    """An option is unknown, of another type, or out of bounds."""


class NotApplicableError(RequestError):
    """The live corpus has nothing to apply an option to."""


class UnknownIdError(RequestError):
    """The index holds no such id."""


class UnknownDocumentError(RequestError):
    """The index holds no such document."""


class InvalidStateError(RequestError):
    """The state of a session that a client holds is none of this service's."""


class UnknownSessionError(RequestError):
    """No session is called that."""


class SessionGoneError(RequestError):
    """A session is there no more: ended, expired, evicted, or of another bundle."""


class UnknownBundleError(RequestError):
    """No bundle is called that."""


class BundleRefusedError(ProjectError):
    """A bundle cannot go live; says why. What is live stays."""


class NoEncoderError(ProjectError):
    """The encoder of the live corpus is not installed here, or is another one."""


class NotReadyError(ProjectError):
    """Nothing is live: not yet, not any more, or for a reason that is told."""


class OverloadedError(ProjectError):
    """As many requests wait as may, or one cannot be answered in the time it has."""


class DeadlineExceededError(ProjectError):
    """The answer took longer than it may."""


class AccessError(ProjectError):
    """Who asks may not have this, or not now."""


class UnauthenticatedError(AccessError):
    """A key is needed, and none that is valid came with the request."""


class ForbiddenError(AccessError):
    """The key is valid, and not for this."""


class RateLimitedError(AccessError):
    """More was asked in a time than a key or an address may ask.

    Args:
        detail: what was expected and what came.
        retry_after_s: after how many seconds the same would be answered; None if it
            never would, because it alone is more than may be asked.
    """

    def __init__(self, detail: str, retry_after_s: int | None) -> None:
        """Take what is said, and when to ask again."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class KeysUnusableError(AccessError):
    """The keys cannot be read, so nobody can be let in."""
