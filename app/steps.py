"""Work cut into short steps, so that whoever shares its thread waits for one alone."""

import asyncio
import time
from collections.abc import Generator
from typing import Final, TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work in short steps: each ``yield`` lets others go first."""

_TURN_S: Final = 0.0005
# Between two turns the loop itself takes some 30 us. A request that is answered
# meanwhile waits so long, and for one step, at each of its own few turns.


def finish(steps: Steps[T]) -> T:
    """Do all steps at once, where nobody else waits.

    Example:
        >>> def three() -> Steps[int]:
        ...     yield
        ...     return 3
        >>> finish(three())
        3
    """
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


async def in_turns(steps: Steps[T]) -> T:
    """Do steps in the event loop, half a millisecond at a time."""
    while True:
        until = time.perf_counter() + _TURN_S
        try:
            while time.perf_counter() < until:
                next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        await asyncio.sleep(0)
