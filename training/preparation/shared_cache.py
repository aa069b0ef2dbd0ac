"""What takes long to make, kept in a run's folder and shared by runs of one ground."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from training.errors import ProjectError
from training.files import write_bytes

T = TypeVar("T")

_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, SafetensorError)
# What the readers of our files raise for one that is missing, cut short or changed.


class Shelf:
    """Files of a run, taken from another run with the same corpus, split and space.

    The run's folder gets a copy, so that it stays whole by itself.
    """

    def __init__(self, folder: Path, shared: Path | None = None) -> None:
        """Use the run's ``folder``, and one for all runs that may share; made late."""
        self._folder, self._shared = folder, shared

    @contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Keep other runs from making the same at the same time.

        Args:
            waiting: called if another run is at it; the block begins when it is done.
        """
        if self._shared is None:
            yield
            return
        self._shared.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._shared / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def read(self, name: str, load: Callable[[Path], T]) -> T | None:
        """Return what ``load`` makes of a file, None if it is nowhere whole."""
        own = self._folder / name
        for folder in filter(None, (self._folder, self._shared)):
            path = folder / name
            try:
                found = load(path)
                if path != own:
                    write_bytes(own, path.read_bytes())
            except (*_DAMAGE, ProjectError):
                continue
            return found
        return None

    def write(self, name: str, data: bytes) -> None:
        """Keep a file for this run, and for those to come."""
        write_bytes(self._folder / name, data)
        if self._shared is not None:
            self._shared.mkdir(parents=True, exist_ok=True)
            write_bytes(self._shared / name, data)
