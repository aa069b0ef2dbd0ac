"""Checksums of files, and how far they have come: a large bundle takes seconds."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.training.errors import BundleError
from nextvec.training.steps import Steps, ignore_steps

_MB: Final = 1_000_000

_AT_ONCE: Final = 4
# Files whose checksums are taken at once: the vectors are most of a bundle, the codes a
# fifth; more threads than that have nothing to do.


class Checksums:
    """SHA-256 of some files; threads may ask for one each."""

    def __init__(
        self,
        paths: Iterable[Path],
        progress: Steps = ignore_steps,
        verified: VerifiedFiles | None = None,
    ) -> None:
        """Take the files, each to be asked for once.

        Args:
            paths: of all files.
            progress: told how many megabytes are read, begun ones included, and of
                how many.
            verified: files that are not read again; None reads all.
        """
        self._progress, self._done, self._lock = progress, 0, Lock()
        self._verified = VerifiedFiles(None) if verified is None else verified
        self._paths = list(paths)
        # a missing one is told when it is asked for
        self._total = sum(path.stat().st_size for path in self._paths if path.exists())

    def all(self) -> dict[str, str]:
        """Return those of all files by name, a few taken at once.

        Raises:
            BundleError: one cannot be read.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(self.of, self._paths))
        self._verified.save()
        return {p.name: one for p, one in zip(self._paths, found, strict=True)}

    def of(self, path: Path) -> str:
        """Return the checksum of a file, as 64 hexadecimal digits.

        Raises:
            BundleError: it cannot be read.
        """
        # its stubs ask for all of a digest; update and hexdigest are what is used
        counted: Any = partial(_Counted, self)
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                known = self._verified.find(before)
                if known is not None:
                    self.read(before.st_size)
                    return known
                found = hashlib.file_digest(file, counted).hexdigest()
                self._verified.note(before, os.fstat(file.fileno()), found)
                return found
        except OSError as error:
            msg = f"{path}: missing from the bundle: {error.strerror}"
            raise BundleError(msg) from error

    def read(self, num_bytes: int) -> None:
        """Count bytes that were read."""
        with self._lock:
            self._done += num_bytes
            self._progress(-(-self._done // _MB), -(-self._total // _MB))


class _Counted:
    """A digest that tells how much it was given."""

    def __init__(self, whole: Checksums) -> None:
        self._whole, self._digest = whole, hashlib.sha256()

    def update(self, part: memoryview) -> None:
        self._digest.update(part)
        self._whole.read(len(part))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of one file, as 64 hexadecimal digits.

    Raises:
        BundleError: it cannot be read.
    """
    return Checksums([path]).of(path)
