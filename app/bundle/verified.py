"""Files that were read and had a checksum, and that nobody has changed since.

Reading a million vectors takes seconds at every start. A file that has the device,
number, size and times of one whose checksum was taken is that file: who changes what is
in it changes its ctime, which only the kernel sets. What this does not see is what a
disk lost by itself, and what somebody did who can set the clock of the machine: for
those all files are read (`nextvec.app.settings.Settings.verify`).

The record lies in the user's cache, where compiled code of ours lies as well, and not
beside the bundles: whoever can write those only cannot say that they are whole.
"""

import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from nextvec.app.user_cache import user_cache
from nextvec.training.checked import from_json
from nextvec.training.files import write_json

log = logging.getLogger(__name__)

RECORD: Final = "verified.json"

_FORMAT: Final = 1
_MOST: Final = 1_000
# Files that are remembered, the newest: 40 bundles.
_SETTLED_NS: Final = 2_000_000_000
# A clock of files ticks every few milliseconds, on some disks every two seconds: what
# is written twice between two ticks has the same times. What is younger is not noted.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What the record holds, as JSON."""

    checksums: dict[str, str]
    format: int = _FORMAT


class VerifiedFiles:
    """Checksums by what a file is, kept between processes."""

    def __init__(self, path: Path | None) -> None:
        """Read the record; one that is not there or cannot be trusted is empty.

        Args:
            path: of the record; None remembers nothing.
        """
        self._path = path
        self._checksums = {} if path is None else _read(path)
        self._is_new = False

    @classmethod
    def of_user(cls) -> "VerifiedFiles":
        """Return those of this user; of one who has no home, none."""
        try:
            return cls(user_cache() / RECORD)
        except RuntimeError:
            return cls(None)

    def find(self, found: os.stat_result) -> str | None:
        """Return the checksum of a file that is as it was; None if it is not known."""
        return self._checksums.get(_identity(found))

    def note(
        self, before: os.stat_result, after: os.stat_result, checksum: str
    ) -> None:
        """Remember the checksum of a file, unless it may have changed meanwhile.

        Args:
            before: what it was before it was read.
            after: what it was then.
            checksum: SHA-256, as 64 hexadecimal digits.
        """
        changed = max(after.st_mtime_ns, after.st_ctime_ns)
        is_settled = time.time_ns() - changed > _SETTLED_NS
        if is_settled and _identity(before) == _identity(after):
            self._checksums[_identity(after)] = checksum
            self._is_new = True

    def save(self) -> None:
        """Write the record, if there is something new; where that cannot be, do not."""
        if self._path is None or not self._is_new:
            return
        newest = dict(list(self._checksums.items())[-_MOST:])
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self._path, asdict(_Record(checksums=newest)))
            self._path.chmod(0o600)
        except OSError as error:
            # the next start reads all files, as this one did
            log.info("checksums are not remembered", extra={"reason": str(error)})
        self._is_new = False


def _identity(found: os.stat_result) -> str:
    """Return what tells a file from all others, and from what it was before."""
    told = (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )
    return ":".join(map(str, told))


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            record = from_json(_Record, file.read())
    except (OSError, ValueError):
        return {}
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        told = {"path": str(path)}
        log.warning("what others can write is no record of checksums", extra=told)
        return {}
    return record.checksums if record.format == _FORMAT else {}
