"""Who is let in, who is computed, and what an overloaded thread still gets done."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.errors import OverloadedError
from nextvec.app.inference.line import Line
from nextvec.app.inference.pace import Pace


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Client:
    deadline: float = math.inf
    is_gone: bool = False
    request: object = field(default_factory=object)


def line_of(clock: Clock, *, max_batch: int = 4, max_queue: int = 100) -> Line[Client]:
    return Line(max_batch=max_batch, max_queue=max_queue, clock=clock)


def compute(line: Line[Client], clock: Clock, seconds: float) -> list[Client]:
    """Take a batch that takes so long."""
    taken = line.take().taken
    clock.now += seconds
    line.done()
    return taken


class TestPace:
    def test_nothing_is_known_before_the_first_batch(self) -> None:
        assert (Pace().seconds(8), Pace().missed_s) == (0.0, 0.0)

    @given(st.floats(0.0, 1.0), st.floats(0.0, 0.1))
    def test_a_line_is_found_again(self, base: float, each: float) -> None:
        pace = Pace()

        for size in (1, 30, 7, 15, 32, 3):
            pace.note(size, base + each * size)

        assert pace.seconds(20) == pytest.approx(base + each * 20, abs=1e-6)

    @given(
        st.lists(st.tuples(st.integers(1, 32), st.floats(0.0, 10.0)), min_size=1),
        st.integers(1, 32),
    )
    def test_more_never_takes_less_nor_more_than_in_proportion(
        self, batches: list[tuple[int, float]], size: int
    ) -> None:
        pace = Pace()

        for one, seconds in batches:
            pace.note(one, seconds)

        assert pace.seconds(size) <= pace.seconds(2 * size) + 1e-9
        assert pace.seconds(2 * size) <= 2 * pace.seconds(size) + 1e-9

    def test_of_equal_sizes_half_is_taken_to_depend_on_them(self) -> None:
        pace = Pace()

        for _ in range(5):
            pace.note(10, 1.0)

        assert pace.seconds(20) == pytest.approx(1.5)
        assert pace.missed_s == pytest.approx(0.0)

    def test_a_slow_batch_is_soon_forgotten(self) -> None:
        pace = Pace()
        pace.note(8, 10.0)

        for _ in range(40):
            pace.note(8, 0.1)

        assert pace.seconds(8) < 0.3
        assert 0.0 < pace.missed_s < 0.3


class TestLine:
    def test_who_cannot_be_done_in_time_is_refused_at_once(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        line.join([Client() for _ in range(4)])

        line.check_time(1, 100.0, at_door=True)
        with pytest.raises(
            OverloadedError, match=r"4 requests are .* some 3500 ms of the 3000"
        ):
            line.check_time(1, 3.0, at_door=True)

    def test_while_nothing_is_to_be_done_nobody_is_refused(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)

        line.check_time(1, 0.001, at_door=True)

    def test_a_batch_that_runs_has_to_end_first(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        line.join([Client()])
        line.take()

        clock.now += 0.25
        assert line.wait_s == pytest.approx(0.75)
        line.check_time(1, 1.8, at_door=True)
        with pytest.raises(OverloadedError):
            line.check_time(1, 1.7, at_door=True)
        clock.now += 9.0
        assert line.wait_s == 0.0

    def test_who_is_on_the_way_in_counts_at_the_door(self) -> None:
        clock = Clock()
        line = line_of(clock, max_batch=1)
        line.join([Client()])
        compute(line, clock, 1.0)
        line.entering = 3

        assert line.wait_s == pytest.approx(3.0)
        with pytest.raises(OverloadedError, match="3 requests"):
            line.check_time(1, 3.5, at_door=True)
        line.check_time(1, 3.5, at_door=False)

    def test_who_is_on_the_way_in_has_a_place(self) -> None:
        line = line_of(Clock(), max_queue=3)
        line.join([Client()])
        line.entering = 2

        with pytest.raises(OverloadedError, match="3 requests are waiting already"):
            line.check_room(1, at_door=True)
        line.check_room(2, at_door=False)

    def test_what_answers_take_beside_is_kept_in_reserve(self) -> None:
        clock = Clock()
        line = line_of(clock, max_batch=1)
        line.join([Client()])
        compute(line, clock, 1.0)
        line.join([Client()])
        for _ in range(200):
            line.answered(0.5, 0.25)

        line.check_time(1, 2.26, at_door=False)
        line.check_time(1, 2.76, at_door=True)
        with pytest.raises(OverloadedError):
            line.check_time(1, 2.24, at_door=False)
        with pytest.raises(OverloadedError):
            line.check_time(1, 2.74, at_door=True)

    def test_who_could_not_be_told_in_time_is_not_computed(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        for _ in range(200):
            line.answered(0.0, 0.5)
        short, long = Client(deadline=clock.now + 1.4), Client(deadline=clock.now + 3)
        line.join([short, long])

        batch = line.take()

        assert (batch.taken, batch.late) == ([long], [short])

    def test_whose_time_has_become_too_short_is_not_computed(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        short, long = Client(deadline=clock.now + 0.9), Client(deadline=clock.now + 3)
        line.join([short, long])

        batch = line.take()

        assert (batch.taken, batch.late) == ([long], [short])

    def test_places_of_the_late_are_filled(self) -> None:
        clock = Clock()
        line = line_of(clock, max_batch=2)
        line.join([Client()])
        compute(line, clock, 1.0)
        late = [Client(deadline=clock.now + 0.5) for _ in range(3)]
        good = [Client(deadline=clock.now + 9) for _ in range(3)]
        line.join([late[0], good[0], late[1], late[2], good[1], good[2]])

        batch = line.take()

        assert (batch.taken, batch.late) == (good[:2], late)
        assert len(line) == 1

    def test_a_batch_is_smaller_where_more_would_be_late(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        line.join([Client() for _ in range(3)])
        compute(line, clock, 3.0)
        clients = [Client(deadline=clock.now + 2.5) for _ in range(4)]
        line.join(clients)

        batch = line.take()

        assert (batch.taken, batch.late) == (clients[:2], clients[2:])

    def test_a_request_of_which_a_part_would_be_late_is_late_as_a_whole(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 1.0)
        # two of its six fit into a batch, and two wait for the next one
        whole = [Client(clock.now + 1.5, request="six") for _ in range(6)]
        other = Client(clock.now + 9)
        line.join([*whole, other])

        batch = line.take()

        assert (batch.taken, batch.late) == ([other], whole)
        assert len(line) == 0

    def test_a_request_alone_is_computed_as_a_whole_though_it_seems_in_vain(
        self,
    ) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client() for _ in range(4)])
        compute(line, clock, 60.0)
        whole = [Client(clock.now + 2, request="four") for _ in range(4)]
        line.join(whole)

        # of one of them it would not be known how long four take
        assert compute(line, clock, 0.1) == whole
        for _ in range(60):
            line.join([Client(clock.now + 2, request="four") for _ in range(4)])
            assert len(compute(line, clock, 0.1)) == 4
        line.join([Client() for _ in range(4)])
        assert line.wait_s < 1.0

    def test_one_is_computed_though_it_seems_in_vain(self) -> None:
        clock = Clock()
        line = line_of(clock)
        line.join([Client()])
        compute(line, clock, 60.0)
        clients = [Client(deadline=clock.now + left) for left in (1, 2, -1)]
        line.join(clients)

        # else no batch would ever tell that the pace is another by now
        assert line.take().taken == [clients[1]]

    def test_whose_time_is_over_is_never_computed(self) -> None:
        clock = Clock()
        line = line_of(clock)
        clock.now = 5.0
        over = [Client(deadline=4.0), Client(deadline=4.9)]
        line.join(over)

        batch = line.take()

        assert (batch.taken, batch.late) == ([], over)
        line.done()
        assert line.wait_s == 0.0

    def test_who_has_gone_is_neither_taken_nor_late(self) -> None:
        line = line_of(Clock())
        gone, there = Client(is_gone=True), Client()
        line.join([gone, there])

        batch = line.take()

        assert (batch.taken, batch.late) == ([there], [])


class Overload:
    """Clients that ask again as soon as they are answered, far too many of them."""

    def __init__(
        self, deadline_s: float, refused_wait_s: float, *, says_so: bool = True
    ) -> None:
        self.deadline_s, self.refused_wait_s = deadline_s, refused_wait_s
        self.says_so = says_so
        self.rng, self.clock = np.random.default_rng(0), Clock()
        self.line = line_of(self.clock, max_batch=32, max_queue=256)
        self.arrivals = sorted(self.rng.uniform(0, 0.5, 150).tolist())
        self.asked_at: dict[Client, float] = {}

    def goodput(self, seconds: float) -> float:
        """Return the answers a second that were in time."""
        good, free_at = 0, math.inf
        running: list[Client] = []
        while self.clock.now < seconds:
            if self.arrivals and self.arrivals[0] < free_at:
                self.clock.now = heapq.heappop(self.arrivals)
                self.ask()
            else:
                self.clock.now = free_at
                self.line.done()
                for client in running:
                    good += self.asked_at[client] + self.deadline_s >= free_at
                    self.come_back(0.002)
                running, free_at = [], math.inf
            if not running and len(self.line):
                batch = self.line.take()
                running = batch.taken
                for _ in batch.late:
                    self.come_back(self.refused_wait_s)
                if running:
                    noise = float(self.rng.uniform(0.85, 1.15))
                    free_at = self.clock.now + noise * batch_s(len(running))
        return good / seconds

    def ask(self) -> None:
        now = self.clock.now
        timeout_s = self.deadline_s if self.says_so else math.inf
        try:
            self.line.check_time(1, timeout_s, at_door=True)
        except OverloadedError:
            self.come_back(self.refused_wait_s * float(self.rng.uniform(0.9, 1.1)))
            return
        client = Client(now + timeout_s)
        self.asked_at[client] = now
        self.line.join([client])

    def come_back(self, wait_s: float) -> None:
        heapq.heappush(self.arrivals, self.clock.now + wait_s)


def batch_s(size: int) -> float:
    """Return what a batch takes: 15 ms for one, 230 for 32, as a Memory GRU does."""
    return 0.008 + 0.00694 * size


CAPACITY = 32 / batch_s(32)


@pytest.mark.parametrize("refused_wait_s", [0.05, 1.0])
@pytest.mark.parametrize("batches", [2.0, 2.2, 3.0, 5.0, 10.0])
def test_under_overload_most_of_the_capacity_is_good(
    batches: float, refused_wait_s: float
) -> None:
    overload = Overload(batches * batch_s(32), refused_wait_s)

    assert overload.goodput(60.0) > 0.8 * CAPACITY


def test_without_their_deadlines_little_of_it_is() -> None:
    overload = Overload(2.2 * batch_s(32), 1.0, says_so=False)

    assert overload.goodput(60.0) < 0.2 * CAPACITY
