"""Since when what an event loop reads may have been there."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

import pytest

from nextvec.app.server import timed_loop
from nextvec.app.server.timed_loop import TimedLoop

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Time that goes on when it is told to, in place of the module's."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timed_loop, "time", clock)
    return clock


@pytest.fixture
def loop(clock: Clock) -> Iterator[TimedLoop]:
    assert clock.now == 0
    with asyncio.Runner(loop_factory=TimedLoop) as runner:
        made = runner.get_loop()
        assert isinstance(made, TimedLoop)
        yield made


def test_it_is_as_long_as_the_loop_was_busy(loop: TimedLoop, clock: Clock) -> None:
    async def since() -> float:
        clock.now += 5
        await asyncio.sleep(0)
        return loop.since

    # what came just after the loop was asked last is read only now
    assert loop.run_until_complete(since()) == 0


def test_to_wait_for_something_is_not_to_be_busy(
    loop: TimedLoop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = selectors.DefaultSelector.select

    def late(
        self: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        clock.now += 7
        return select(self, timeout)

    async def since() -> float:
        clock.now += 2
        monkeypatch.setattr(selectors.DefaultSelector, "select", late)
        await asyncio.sleep(0)
        return loop.since

    assert loop.run_until_complete(since()) == 7
