"""Counts what a process does to the files in a folder, and kills it at one of them.

Python tells an audit hook of every file that is opened, renamed or removed, before it
happens (PEP 578); only that a file is synced it tells nobody. So nothing has to be
built into what is measured.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

_PATHS: Final = {
    # name of the event: how many of its arguments are paths
    "open": 1,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.rename": 2,
}


class WriteSteps:
    """Counts the steps in which a process changes a folder; works until it ends.

    A hook can not be taken away again: use it in a process of its own.
    """

    def __init__(self, folder: Path, last: int | None = None) -> None:
        """Begin to count.

        Args:
            folder: what counts lies in it.
            last: the step at which the process is killed, before it is made; None for
                none.
        """
        self.count = 0
        self._folder, self._last = f"{folder.resolve()}{os.sep}", last
        self._sync = os.fsync
        os.fsync = self._fsync
        sys.addaudithook(self._hear)

    def _fsync(self, fd: Any) -> None:  # noqa: ANN401 - as os.fsync takes it
        self._step()
        self._sync(fd)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        paths = arguments[: _PATHS.get(event, 0)]
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if any(self._is_inside(path) for path in paths):
            self._step()

    def _is_inside(self, path: Any) -> bool:  # noqa: ANN401 - a path, a number, bytes
        if not isinstance(path, (str, os.PathLike)):
            return False
        # rmtree names what it removes relative to a folder that it holds open
        whole = os.path.abspath(path)  # noqa: PTH100 - links are not looked at
        return whole.startswith(self._folder) or not Path(path).is_absolute()

    def _step(self) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
