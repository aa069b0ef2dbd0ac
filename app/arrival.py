"""When a request arrived, and what its connection was told before."""

import math
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

_ARRIVAL: Final = "nextvec.arrival"


@dataclass(slots=True)
class Visitor:
    """What is remembered of a connection from one request to the next."""

    told: str | None = None
    """Address of the client that was told to wait: a proxy sends the requests of many
    over one connection, and where it is trusted they are told apart."""

    told_until: float = -math.inf
    """Until when it was, on the clock of `time.perf_counter`."""

    num_early: int = 0
    """How often in a row it came back before that, and waited for what it got."""

    def tell_to_wait(self, address: str | None, seconds: float) -> None:
        """Note that a client is told to come back after so long."""
        if address != self.told:
            self.num_early = 0
        self.told, self.told_until = address, time.perf_counter() + seconds

    def is_early(self, address: str | None) -> bool:
        """Whether a client comes before it was told to."""
        if address != self.told:
            return False
        if time.perf_counter() < self.told_until:
            return True
        self.num_early = 0
        return False


@dataclass(slots=True)
class Arrival:
    """What the server knows of how a request came."""

    at: float = field(default_factory=time.perf_counter)
    """When the last piece of it that was read may have been there, at the earliest, on
    the clock of `time.perf_counter`. A busy event loop reads it long after that, and
    the client's time runs."""

    visitor: Visitor = field(default_factory=Visitor)


def address_of(scope: Mapping[str, Any]) -> str | None:
    """Return the address that a request came from, as far as that is believed."""
    client = scope.get("client")
    return None if client is None else str(client[0])


def announce_arrival(scope: MutableMapping[str, Any], arrival: Arrival) -> None:
    """Let the app know of it."""
    scope[_ARRIVAL] = arrival


def arrival_of(scope: MutableMapping[str, Any]) -> Arrival:
    """Return it; another server tells nothing, and then it arrives when asked first."""
    arrival: Arrival | None = scope.get(_ARRIVAL)
    if arrival is None:
        arrival = scope[_ARRIVAL] = Arrival()
    return arrival
