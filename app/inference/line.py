"""Who waits for the inference thread, and for whom that is in vain.

What cannot be done in time is not computed: one is refused at once where what waits
already takes longer than it has, as far as the last batches tell, and one whose time
has become too short while it waited is left out of its batch. Else the thread of an
overloaded service is busy with answers that nobody waits for any more.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from nextvec.app.errors import OverloadedError
from nextvec.app.inference.pace import Pace

_MISSED: Final = 2
# Batches differ: so many times what they missed of late is kept in reserve.

_KEPT: Final = 0.95
# Of what is known of the time beside the line, at each answer.


class Place(Protocol):
    """What a line knows of one that waits in it."""

    @property
    def request(self) -> object:
        """What it came with: all of one request are answered, or none."""

    @property
    def deadline(self) -> float:
        """When its answer is worth nothing any more, on the clock."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for it any more."""


P = TypeVar("P", bound=Place)


@dataclass(slots=True)
class Batch(Generic[P]):
    """What is computed next, and what is not."""

    taken: list[P]
    """In their order."""

    late: list[P]
    """What could not be answered in time."""


class Line(Generic[P]):
    """A bounded line, taken in batches, first come, first served.

    No lock and no thread: whoever has several of them holds a lock of its own.
    """

    def __init__(
        self,
        *,
        max_batch: int,
        max_queue: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make an empty one.

        Args:
            max_batch: most that are taken at once.
            max_queue: most that wait.
            clock: what tells the time, in seconds.
        """
        self._max_batch, self._max_queue, self._clock = max_batch, max_queue, clock
        self._waiting: deque[P] = deque()
        self._pace = Pace()
        self._running: tuple[int, float] | None = None  # size of a batch, and its begin
        self.entering = 0
        """Requests that are on their way into the line, and count as if they waited."""
        self._before_s = self._after_s = 0.0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def wait_s(self) -> float:
        """Seconds until all that waits should be answered, as the last batches were."""
        return self._expected_s(len(self._waiting) + self.entering)

    def check_room(self, number: int, *, at_door: bool) -> None:
        """Refuse so many for which there is no room.

        Args:
            number: that would wait.
            at_door: whether they are still to be decoded, after whatever else is: what
                is decoded and then finds no room was decoded for nothing.

        Raises:
            OverloadedError: too many wait.
        """
        waiting = self._ahead(at_door=at_door)
        if waiting + number > self._max_queue:
            msg = f"{waiting} requests are waiting already, of {self._max_queue}"
            if number > 1:
                msg += f" that may, and {number} more would"
            raise OverloadedError(msg)

    def check_time(self, number: int, timeout_s: float, *, at_door: bool) -> None:
        """Refuse so many that cannot be answered in their time.

        None is refused while the thread is idle: a pace is only known to have changed
        if something is computed.

        Args:
            number: that would wait.
            timeout_s: seconds that they have.
            at_door: whether they are still to be decoded, after whatever else is.

        Raises:
            OverloadedError: they cannot.
        """
        ahead = self._ahead(at_door=at_door)
        if not ahead and self._running is None:
            return
        expected_s = self._expected_s(ahead + number) + _MISSED * self._pace.missed_s
        expected_s += self._after_s + (self._before_s if at_door else 0.0)
        if expected_s > timeout_s:
            msg = (
                f"{ahead} requests are waiting already, and an answer would take some "
                f"{1000 * expected_s:.0f} ms of the {1000 * timeout_s:.0f} there are"
            )
            raise OverloadedError(msg)

    def _ahead(self, *, at_door: bool) -> int:
        """Return how many come before one that is there now."""
        return len(self._waiting) + (self.entering if at_door else 0)

    def join(self, places: Iterable[P]) -> None:
        """Let some wait."""
        self._waiting.extend(places)

    def leave(self, places: Iterable[P]) -> None:
        """Take some out that nobody waits for."""
        gone = set(places)
        self._waiting = deque(place for place in self._waiting if place not in gone)

    def clear(self) -> list[P]:
        """Take out all that wait, and return them."""
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def take(self) -> Batch[P]:
        """Take the next batch, which begins now, and what cannot be done in time.

        A batch is as large as it can be with each of its answers in time. What is left
        over before its last one cannot be done: its time is too short for this batch,
        and so for the next; and with it all that came with it. If nothing else is
        there, what belongs to the one with the most time left is taken all the same:
        the pace may be another by now.
        """
        taken: list[P] = []
        late: list[P] = []
        now = self._clock()
        while self._waiting and len(taken) < self._max_batch:
            while self._waiting and len(taken) < self._max_batch:
                place = self._waiting.popleft()
                if not place.is_gone:
                    taken.append(place)
            lost = self._lost(taken, now)
            if lost:
                # whatever of them waits for a later batch waits in vain as well
                late += [p for p in (*taken, *self._waiting) if p.request in lost]
                taken = [p for p in taken if p.request not in lost]
                self._waiting = deque(p for p in self._waiting if p.request not in lost)
        self._running = (len(taken), now) if taken else None
        return Batch(taken, late)

    def _lost(self, taken: Iterable[P], now: float) -> set[object]:
        """Return the requests that would be late, were these a batch."""
        by_time = sorted(taken, key=lambda place: -place.deadline)
        number = len(by_time)
        reserve_s = self._after_s + self._pace.missed_s
        while number:
            answered_at = now + self._pace.seconds(number) + reserve_s
            if by_time[number - 1].deadline >= answered_at:
                break
            number -= 1
        lost = {place.request for place in by_time[number:]}
        if lost and all(p.request in lost for p in (*by_time, *self._waiting)):
            longest = by_time[0]
            lost -= {longest.request} if longest.deadline > now else set()
        return lost

    def done(self) -> None:
        """Note that the batch which was taken last has been computed."""
        if self._running is not None:
            size, began = self._running
            self._pace.note(size, self._clock() - began)
            self._running = None

    def answered(self, before_s: float, after_s: float) -> None:
        """Note how long an answer took from the door to here, and after its batch."""
        self._before_s = _KEPT * self._before_s + (1 - _KEPT) * before_s
        self._after_s = _KEPT * self._after_s + (1 - _KEPT) * after_s

    def _expected_s(self, number: int) -> float:
        """Return the seconds until so many, one after another, are answered."""
        left_s = 0.0
        if self._running is not None:
            size, began = self._running
            left_s = max(0.0, began + self._pace.seconds(size) - self._clock())
        full, rest = divmod(number, self._max_batch)
        batches_s = full * self._pace.seconds(self._max_batch)
        return left_s + batches_s + (self._pace.seconds(rest) if rest else 0.0)
