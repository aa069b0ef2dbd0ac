"""The keys as a running service knows them: its file, looked at again and again."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nextvec.app.access.key import Key, id_of, new_key
from nextvec.app.access.key_file import KeyFileError, read_keys
from nextvec.app.errors import KeysUnusableError

log = logging.getLogger(__name__)

LOOKS_EVERY_S: Final = 1.0
"""How long a change of the file may go unseen, in seconds: a look takes microseconds,
but on a mounted volume can take more."""

_Stamp = tuple[int, ...] | str | None


class KeyRing:
    """Knows who has which key, and takes up changes of the file.

    Without a file everyone is answered, until one is there. From then on, or if
    `is_required`, a file that is missing, broken or empty lets nobody in: an accident
    must not open what was closed.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file.

        Args:
            path: the file.
            is_required: whether it has to be there.
            clock: seconds of which the differences count.

        Raises:
            KeyFileError: it cannot be used.
        """
        self._path, self._clock, self._is_required = path, clock, is_required
        self._keys: dict[str, Key] = {}
        # compared with where no key has the id: that takes as long as if one had
        self._nobody, _ = new_key("predict")
        self._fault: str | None = None
        self._stamp = self._look()
        self._looked = clock()
        if self._stamp is not None or is_required:
            self._keys = read_keys(path)

    @property
    def is_open(self) -> bool:
        """Whether everyone is answered."""
        self._refresh()
        return self._stamp is None and not self._is_required

    def find(self, secret: str) -> Key | None:
        """Return the key that somebody has shown, None if it is no valid one.

        Raises:
            KeysUnusableError: the file cannot be used.
        """
        self._refresh()
        if self._fault is not None:
            raise KeysUnusableError(self._fault)
        id_ = id_of(secret)
        if id_ is None:
            return None
        key = self._keys.get(id_, self._nobody)
        return key if key.is_of(secret) else None

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked < LOOKS_EVERY_S:
            return
        self._looked, stamp = now, self._look()
        if stamp == self._stamp:
            return
        # once there are keys, they are needed until the process ends
        self._is_required = True
        self._stamp, self._keys, self._fault = stamp, {}, None
        try:
            self._keys = read_keys(self._path)
        except KeyFileError as error:
            # which path it is, only the log is told
            self._fault = "nobody is let in until that is mended; the log says why"
            log.error("no key is valid", extra={"reason": str(error)})  # noqa: TRY400 - the reason is the whole story
        else:
            log.info("keys are taken up", extra={"num_keys": len(self._keys)})

    def _look(self) -> _Stamp:
        """Return what changes with the file; None if there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return str(error)
        # a file that replaces another has its own number, even at the same time
        return found.st_mtime_ns, found.st_ino, found.st_size
