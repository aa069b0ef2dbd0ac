"""How far the loading of a bundle has come, for who reads the logs."""

import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

EVERY_S: Final = 2.0
"""Seconds between two lines: a bundle that loads sooner needs none."""


class LoadingLog:
    """Logs a line every two seconds: the stage, how far it is, what remains."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count; ``clock`` returns seconds."""
        self._clock = clock
        self._told = self._stage_began = clock()
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take what a stage says, as `nextvec.training.corpus.parts.Progress`."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._stage_began = stage, now
        if now - self._told < EVERY_S:
            return
        self._told = now
        took = now - self._stage_began
        left = round(took * (total - done) / done, 1) if done and took else None
        log.info(
            "bundle is loading",
            extra={"stage": stage, "done": done, "total": total, "remaining_s": left},
        )
