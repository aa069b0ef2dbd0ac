"""Since when what an event loop reads may have been there."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from nextvec.app.server.timed_loop import TimedLoop

BUSY_S = 0.2


@pytest.fixture
def loop() -> Iterator[TimedLoop]:
    with asyncio.Runner(loop_factory=TimedLoop) as runner:
        made = runner.get_loop()
        assert isinstance(made, TimedLoop)
        yield made


def run(loop: TimedLoop, work: Coroutine[Any, Any, float]) -> float:
    return loop.run_until_complete(work)


def test_it_is_as_long_as_the_loop_was_busy(loop: TimedLoop) -> None:
    async def waited_s() -> float:
        began = time.perf_counter()
        time.sleep(BUSY_S)  # noqa: ASYNC251 - to keep the loop busy
        await asyncio.sleep(0)
        return loop.since - began

    # what came just after the sleep began may be read only now
    assert run(loop, waited_s()) < BUSY_S / 2


def test_to_wait_for_something_is_not_to_be_busy(loop: TimedLoop) -> None:
    async def since() -> float:
        await asyncio.sleep(BUSY_S)
        began = time.perf_counter()
        await asyncio.sleep(0)
        return began - loop.since

    assert run(loop, since()) < BUSY_S
