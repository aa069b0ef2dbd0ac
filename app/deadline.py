"""Until when a request wants its answer."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an answer is worth nothing any more."""

    timeout_s: float
    """Seconds that the request was given, for messages."""

    at: float
    """When they are over, on the clock of `time.perf_counter`."""

    @classmethod
    def after(cls, timeout_s: float) -> "Deadline":
        """Return the one that so many seconds from now are over."""
        return cls(timeout_s, time.perf_counter() + timeout_s)

    @property
    def left_s(self) -> float:
        """Seconds until then; below 0 after it."""
        return self.at - time.perf_counter()
