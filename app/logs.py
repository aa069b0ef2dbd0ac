"""Log lines as JSON, one object each; configured by entry points only."""

import logging
import sys
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
        return orjson.dumps(line, default=str).decode()


def configure_logs(level: str) -> None:
    """Send all logs of the process to standard error as JSON.

    Args:
        level: least severe level that is logged.
    """
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[to_stderr], force=True)
