"""Which pages of other origins may ask the service, and what they may read of it."""

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

_SENT: Final = (
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "X-API-Key",
    "X-Request-ID",
    "X-Request-Timeout-Ms",
)
_READ: Final = (
    "Age",
    "ETag",
    "Location",
    "Retry-After",
    "Server-Timing",
    "X-Request-ID",
)


def add_cors(app: Starlette, origins: Sequence[str]) -> None:
    """Let pages of these origins ask.

    Without credentials in the sense of browsers (cookies, client certificates): the
    service knows none, and a key is a header like any other.

    Args:
        app: the app.
        origins: each scheme://host[:port], or * for all.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "DELETE"),
        allow_headers=_SENT,
        expose_headers=_READ,
    )
