"""When a request arrived, and what its connection was told before."""

import math
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

_ARRIVAL: Final = "nextvec.arrival"


@dataclass(slots=True)
class Visitor:
    """What is remembered of a connection from one request to the next."""

    told_until: float = -math.inf
    """Until when its client was told to wait, on the clock of `time.perf_counter`."""

    def tell_to_wait(self, seconds: float) -> None:
        """Note that its client is told to come back after so long."""
        self.told_until = time.perf_counter() + seconds


@dataclass(slots=True)
class Arrival:
    """What the server knows of how a request came."""

    at: float = field(default_factory=time.perf_counter)
    """When the last piece of it that was read may have been there, at the earliest, on
    the clock of `time.perf_counter`. A busy event loop reads it long after that, and
    the client's time runs."""

    visitor: Visitor = field(default_factory=Visitor)


def announce_arrival(scope: MutableMapping[str, Any], arrival: Arrival) -> None:
    """Let the app know of it."""
    scope[_ARRIVAL] = arrival


def arrival_of(scope: MutableMapping[str, Any]) -> Arrival:
    """Return it; another server tells nothing, and then it arrives when asked first."""
    arrival: Arrival | None = scope.get(_ARRIVAL)
    if arrival is None:
        arrival = scope[_ARRIVAL] = Arrival()
    return arrival
