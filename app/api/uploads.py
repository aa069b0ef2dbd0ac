"""How many bytes of bodies are held at once, by all requests together."""

import ctypes
from typing import Final

_WORTH_TRIMMING: Final = 64 << 20
# Bytes held at once from which the C library is asked to give memory back.


class Uploads:
    """A budget of bytes."""

    def __init__(self, limit: int) -> None:
        """Set the most bytes that may be held."""
        self.limit = limit
        self.held = 0
        self._most = 0

    def take(self, number: int) -> bool:
        """Take some bytes, unless more would be held than may."""
        if self.held + number > self.limit:
            return False
        self.held += number
        self._most = max(self._most, self.held)
        return True

    def give(self, number: int) -> None:
        """Give them back."""
        self.held -= number
        if self.held == 0 and self._most >= _WORTH_TRIMMING:
            self._most = 0
            _trim()


def _trim() -> None:
    """Let the C library return what it keeps of freed memory; glibc's alone can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
