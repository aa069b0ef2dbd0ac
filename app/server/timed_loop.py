"""An event loop that knows how long what it reads may have waited to be read."""

import asyncio
import selectors
import time


class _TimedSelector(selectors.DefaultSelector):
    """Notes how long it was not asked."""

    def __init__(self) -> None:
        super().__init__()
        self.since = self._returned = time.perf_counter()

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for what is ready, as any selector.

        What is ready at once became so while the loop did something else; what it had
        to wait for has just come, and is taken to be as old.
        """
        busy_s = time.perf_counter() - self._returned
        ready = super().select(timeout)
        self._returned = time.perf_counter()
        self.since = self._returned - busy_s
        return ready


class TimedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with a watch."""

    def __init__(self) -> None:
        """Open it."""
        self._timed = _TimedSelector()
        super().__init__(self._timed)

    @property
    def since(self) -> float:
        """Since when what is read now may have been there, as `time.perf_counter`."""
        return self._timed.since
