"""What a client sent, as far as an answer repeats it."""

from typing import Final

_ECHOED: Final = 100
# Characters of a client's own text that an answer repeats.


def cut(text: str) -> str:
    """Return the first 100 characters of what a client sent."""
    return text[:_ECHOED]


def quoted(text: str) -> str:
    """Quote the first 100 characters of what a client sent.

    Example:
        >>> quoted("k")
        "'k'"
    """
    return repr(cut(text))
