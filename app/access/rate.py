"""How much somebody may ask for in a time, counted in bounded memory."""

import time
from collections import OrderedDict
from typing import Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from nextvec.app.errors import RateLimitedError

MOST_COUNTS: Final = 1 << 16
"""Counts that are kept of one rate, at most two of each client, in some 20 MB."""

_GRAIN_S: Final = 1e-3


class BoundedCounts(MemoryStorage):
    """Counts of a single rate; the oldest goes where there are too many.

    That of the library grows with its clients, and looks at each of them every ten
    milliseconds, in a thread. Since all counts here live equally long, they come to
    their end in the order in which they began: what is over is found at the front.
    Who has addresses enough to push out the counts of others is not held by a limit for
    each address anyway.
    """

    def __init__(self, most: int = MOST_COUNTS) -> None:
        """Keep at most so many counts."""
        super().__init__()
        # its thread has nothing to do
        self.timer.cancel()
        self.expirations: OrderedDict[str, float] = OrderedDict()
        self._most = most

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a count that ends ``expiry`` seconds after it began."""
        if self.get(key) == 0:
            self._make_room()
            self.expirations[key] = time.time() + expiry
        self.storage[key] += amount
        return self.storage[key]

    def _make_room(self) -> None:
        now = time.time()
        while self.expirations:
            oldest, end = next(iter(self.expirations.items()))
            if end > now and len(self.expirations) < self._most:
                break
            del self.expirations[oldest], self.storage[oldest]


class Rate:
    """So many in a time for each of many: a sliding window of two counts.

    A client gets at most the full number in any such time, as near as the two counts
    can tell: those of the window before are taken to have come evenly.
    """

    def __init__(self, told: str, *, of: str, most_counts: int = MOST_COUNTS) -> None:
        """Take the rate.

        Args:
            told: such as ``100/second``.
            of: what each client is called in messages, such as "key".
            most_counts: bound on the memory.
        """
        self._told, self._of, self.item = told, of, parse(told)
        self._counts = BoundedCounts(most_counts)
        self._limiter = SlidingWindowCounterRateLimiter(self._counts)

    @property
    def num_counts(self) -> int:
        """How many counts are kept, at most two for each client."""
        return len(self._counts.expirations)

    def take(self, client: str, cost: int = 1, *, counted: int = 0) -> None:
        """Count what a client asks for, if it may.

        Args:
            client: who asks.
            cost: how much; nothing is counted if not all of it fits.
            counted: how much of the same request is counted already, and would be again
                if it came again.

        Raises:
            RateLimitedError: it is too much.
        """
        if self._limiter.hit(self.item, client, cost=cost):
            return
        whole = cost + counted
        expected = f"expected at most {self._told} of one {self._of}"
        if whole > self.item.amount:
            detail = f"{expected}, got {whole} at once, which never fit: send fewer"
            raise RateLimitedError(detail, None)
        wait_s = self._wait_s(client, whole)
        detail = f"{expected}, got more; ask again in {wait_s} s"
        raise RateLimitedError(detail, wait_s)

    def _wait_s(self, client: str, cost: int) -> int:
        """Return after how many whole seconds so much would fit.

        With p counted in the window before, of which the share r still weighs, and c in
        this one, it fits if p r + c < amount - cost + 1.
        """
        window_s = self.item.get_expiry()
        before, _, now, now_ttl_s = self._counts.get_sliding_window(
            self.item.key_for(client), window_s
        )
        rest_s, room = now_ttl_s - window_s, self.item.amount - cost + 1
        if now < room and not before:
            # the process stood still for two windows since it did not fit
            wait_s = 0.0
        elif now < room:
            wait_s = rest_s - (room - now) * window_s / before
        else:
            wait_s = rest_s + window_s - room * window_s / now
        # the sum has to be less: a whole second more where it is just reached, as far
        # as floats can tell, in which the time of day has a grain of some 1e-7 s
        return max(0, int(wait_s + _GRAIN_S)) + 1
