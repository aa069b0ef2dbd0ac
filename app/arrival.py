"""When a request arrived, and what its connection was told before."""

import math
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

_ARRIVAL: Final = "nextvec.arrival"

_MOST_DOUBLED: Final = 30
# From a millisecond to twelve days: what it was told ends it before.


@dataclass(slots=True)
class Visitor:
    """What is remembered of a connection from one request to the next."""

    told: str | None = None
    """Address of the client that was told to wait: a proxy sends the requests of many
    over one connection, and where it is trusted they are told apart."""

    told_until: float = -math.inf
    """Until when it was, on the clock of `time.perf_counter`."""

    num_early: int = 0
    """How often it came before that, since it last came in time."""

    def tell_to_wait(self, address: str | None, seconds: float) -> None:
        """Note that a client is told to come back after so long."""
        if address != self.told:
            self.num_early = 0
        self.told, self.told_until = address, time.perf_counter() + seconds

    def comes_early(self, address: str | None) -> bool:
        """Note that a client has come; return whether before it was told to."""
        is_early = address == self.told and time.perf_counter() < self.told_until
        self.num_early = self.num_early + 1 if is_early else 0
        return is_early

    def patience_s(self, timeout_s: float) -> float:
        """Return how long a client that came early is held back at most, in seconds.

        At first as long as it waits for an answer: who gives up then opens another
        connection, which costs more than the answer. Who does not, and comes early
        again, is held twice as long each time.

        Args:
            timeout_s: what its request gives the answer.
        """
        return timeout_s * 2.0 ** min(self.num_early - 1, _MOST_DOUBLED)


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
