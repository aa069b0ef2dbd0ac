"""Log lines as JSON, one object each; configured by entry points only."""

import json
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import orjson

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
}
# color_message is uvicorn's second copy of the message, with terminal codes.


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, event, and whatever was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:
            # a name of a file that is no UTF-8, a number of more than 64 bits
            return json.dumps(line, default=str)


def configure_logs(level: str) -> None:
    """Send all logs of the process to standard error as JSON.

    Args:
        level: least severe level that is logged.
    """
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[to_stderr], force=True)


class Seldom:
    """Decides when something that may happen a thousand times a second is logged."""

    def __init__(
        self, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set the least time between two lines of one kind, in seconds."""
        self._every_s, self._clock = every_s, clock
        self._last: dict[str, float] = {}
        self._since: Counter[str] = Counter()

    def due(self, kind: str) -> int:
        """Count one of a kind; return how many a line now stands for, or 0 for none.

        Example:
            >>> seldom = Seldom(every_s=3600)
            >>> [seldom.due("bad request") for _ in range(3)]
            [1, 0, 0]
        """
        self._since[kind] += 1
        now = self._clock()
        if now - self._last.get(kind, -math.inf) < self._every_s:
            return 0
        self._last[kind] = now
        return self._since.pop(kind)
