"""Why nothing is live, or why something else than was wanted."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

Code = Literal[
    "starting", "no-bundle", "unknown-bundle", "unreadable-pointer", "bundle-refused"
]
"""Why nothing is live, or why what LIVE names is not."""

IN_WORDS: Final[dict[Code, str]] = {
    "starting": "the service is starting",
    "no-bundle": "no bundle has been promoted",
    "unknown-bundle": "the promoted bundle is not there; the log names it",
    "unreadable-pointer": "the file LIVE cannot be read; the log says why",
    "bundle-refused": "the promoted bundle cannot be used; the log says why",
}
"""The same for anybody who asks: no path, and no name of a bundle."""

AskedBy = Literal["LIVE", "admin"]
"""Who wanted a bundle: the file, or a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A bundle that was to go live and did not."""

    bundle: str | None
    """Its name, if LIVE or the request had one."""

    code: Code
    reason: str
    """In words for operators; paths begin in the folder of bundles."""

    asked_by: AskedBy
    at: datetime


def told(error: BaseException, folder: Path) -> str:
    """Return what an error says, without the path to the folder of bundles."""
    words = str(error)
    for path in (folder.absolute(), folder):
        words = words.replace(f"{path}/", "").replace(f"{path}: ", "")
    return words
