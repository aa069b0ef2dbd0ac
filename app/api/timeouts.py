"""How long a request says that its answer may take."""

import math
from typing import Final

from starlette.datastructures import Headers

from nextvec.app.errors import InvalidHeaderError
from nextvec.app.wire.quoting import quoted

TIMEOUT: Final = "X-Request-Timeout-Ms"
"""The header in which it does."""


def timeout_of(headers: Headers, longest_s: float = math.inf) -> float:
    """Return the seconds that a request has: its own, but never more than may be.

    Args:
        headers: of the request.
        longest_s: most seconds, and those of a request that says nothing.

    Raises:
        InvalidHeaderError: it says what is no number of milliseconds.

    Example:
        >>> timeout_of(Headers({"x-request-timeout-ms": "250"}), 10)
        0.25
    """
    given = headers.getlist(TIMEOUT)
    if not given:
        return longest_s
    # several of one name are one, with commas
    value = ", ".join(given).strip()
    # isdecimal takes other scripts' digits as well
    is_number = value.isascii() and value.isdecimal() and len(value) < 10
    if not is_number or int(value) == 0:
        detail = (
            f"{TIMEOUT}: expected a whole number of milliseconds, 1 to 999999999, got "
            f"{quoted(value)}"
        )
        raise InvalidHeaderError(detail)
    return min(int(value) / 1000, longest_s)
