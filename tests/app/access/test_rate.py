"""How much may be asked for, and when again."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.access.rate import Rate
from nextvec.app.errors import RateLimitedError

ATTEMPTS = st.tuples(st.integers(0, 60), st.integers(0, 60))
PAUSES = st.tuples(st.floats(0, 130), st.floats(0, 130))


class Clock:
    """Unix time that stands still until it is moved."""

    def __init__(self) -> None:
        # the beginning of a window of every length
        self.now_s = 86_400.0 * 20_000

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def taken(rate: Rate, client: str, attempts: int, cost: int = 1) -> int:
    """Return how many of so many attempts are let in."""
    count = 0
    for _ in range(attempts):
        try:
            rate.take(client, cost)
        except RateLimitedError:
            continue
        count += 1
    return count


def refusal(rate: Rate, client: str, cost: int = 1) -> RateLimitedError:
    with pytest.raises(RateLimitedError) as refused:
        rate.take(client, cost)
    return refused.value


@contextmanager
def used(
    amount: int, attempts: tuple[int, int], pauses: tuple[float, float]
) -> Iterator[tuple[Rate, Clock]]:
    """Yield a rate a minute, used in two spells, each with a pause after it."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", clock)
        rate = Rate(f"{amount}/minute", of="key")
        for number, pause in zip(attempts, pauses, strict=True):
            taken(rate, "one", number)
            clock.now_s += pause
        yield rate, clock


def told_wait_s(rate: Rate, cost: int, counted: int = 0) -> int:
    """Return how long one is told to wait for what may fit; 0 if it is let in."""
    try:
        rate.take("one", cost, counted=counted)
    except RateLimitedError as error:
        wait_s = error.retry_after_s
    else:
        return 0
    assert wait_s is not None
    return wait_s


@pytest.mark.usefixtures("clock")
def test_so_many_and_no_more_each_for_itself() -> None:
    rate = Rate("5/minute", of="key")

    assert taken(rate, "one", 20) == 5
    assert taken(rate, "two", 20) == 5


@pytest.mark.usefixtures("clock")
def test_a_cost_is_counted_whole_or_not_at_all() -> None:
    rate = Rate("10/minute", of="key")

    assert taken(rate, "one", 5, cost=4) == 2
    # two are left, which four did not take
    assert taken(rate, "one", 5) == 2


def test_at_the_border_of_two_windows_not_twice_as_many_come_in(clock: Clock) -> None:
    rate = Rate("100/minute", of="key")
    clock.now_s += 59.0
    assert taken(rate, "one", 200) == 100

    clock.now_s += 2.0

    assert taken(rate, "one", 200) == 2


def test_time_gives_everything_back(clock: Clock) -> None:
    rate = Rate("5/second", of="key")
    assert taken(rate, "one", 9) == 5

    clock.now_s += 2.0

    assert taken(rate, "one", 9) == 5


@pytest.mark.usefixtures("clock")
def test_a_refusal_says_what_was_expected_and_when_to_come_again() -> None:
    rate = Rate("5/minute", of="key")
    taken(rate, "one", 5)

    error = refusal(rate, "one")

    assert error.retry_after_s == 61
    assert str(error) == (
        "expected at most 5/minute of one key, got more; ask again in 61 s"
    )


def test_a_process_that_stood_still_meanwhile_is_no_fault(clock: Clock) -> None:
    for calls in range(1, 20):
        rate = Rate("3/second", of="key")
        assert taken(rate, "one", 3) == 3
        left = calls

        def leaping() -> float:
            nonlocal left
            left -= 1
            if left == 0:
                clock.now_s += 2.5
            return clock.now_s

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", leaping)
            # let in or told to wait a moment, as the leap has it
            assert taken(rate, "one", 1) <= 1
        clock.now_s += 10


@pytest.mark.usefixtures("clock")
def test_what_never_fits_is_told_so_and_no_time() -> None:
    rate = Rate("5/minute", of="key")
    rate.take("one")

    for cost, counted in ((6, 0), (5, 1)):
        with pytest.raises(RateLimitedError, match="got 6 at once, which never") as no:
            rate.take("one", cost, counted=counted)
        assert no.value.retry_after_s is None


@given(
    amount=st.integers(2, 50),
    attempts=ATTEMPTS,
    pauses=PAUSES,
    cost=st.integers(2, 50),
)
def test_a_batch_that_waits_as_long_as_told_is_let_in(
    amount: int,
    attempts: tuple[int, int],
    pauses: tuple[float, float],
    cost: int,
) -> None:
    cost = min(cost, amount)
    with used(amount, attempts, pauses) as (rate, clock):
        if not taken(rate, "one", 1):
            # refused at the door, where nobody knows yet how many they are
            return
        wait_s = told_wait_s(rate, cost - 1, counted=1)
        if not wait_s:
            return
        clock.now_s += wait_s

        rate.take("one")
        rate.take("one", cost - 1, counted=1)


@given(
    amount=st.integers(1, 50),
    attempts=ATTEMPTS,
    pauses=PAUSES,
    cost=st.integers(1, 50),
)
def test_who_waits_as_long_as_told_is_let_in_and_hardly_longer_than_needed(
    amount: int,
    attempts: tuple[int, int],
    pauses: tuple[float, float],
    cost: int,
) -> None:
    cost = min(cost, amount)
    with used(amount, attempts, pauses) as (rate, clock):
        wait_s = told_wait_s(rate, cost)
        if not wait_s:
            return
        began = clock.now_s

        # two seconds earlier it would not have been, but for what rounding gives away
        if wait_s > 2:
            clock.now_s = began + wait_s - 2
            refusal(rate, "one", cost)
        clock.now_s = began + wait_s
        rate.take("one", cost)


def test_counts_that_are_over_are_forgotten(clock: Clock) -> None:
    rate = Rate("5/second", of="address")
    for client in range(1000):
        rate.take(str(client))

    clock.now_s += 3.0
    rate.take("one more")

    assert rate.num_counts == 1


@pytest.mark.usefixtures("clock")
def test_many_addresses_push_out_the_oldest_and_fill_no_memory() -> None:
    rate = Rate("5/minute", of="address", most_counts=100)
    assert taken(rate, "first", 9) == 5

    for client in range(1000):
        rate.take(str(client))

    assert rate.num_counts == 100
    # it begins anew: the price of a bound
    assert taken(rate, "first", 9) == 5
    # while who came last is still known
    assert taken(rate, "999", 9) == 4


def test_no_thread_counts() -> None:
    before = set(threading.enumerate())
    rate = Rate("5/second", of="key")
    taken(rate, "one", 9)

    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join()

    taken(rate, "two", 9)
    assert set(threading.enumerate()) <= before
