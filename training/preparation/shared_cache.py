"""What takes long to make: kept in a run's folder, shared by runs that can share it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from nextvec.training.errors import ProjectError
from nextvec.training.files import sweep_files, write_bytes
from nextvec.training.listener import Listener, NullListener
from nextvec.training.run_folder import LOCK

T = TypeVar("T")

_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, SafetensorError)
# What the readers of our files raise for one that is missing, cut short or changed.


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[T]):
    """A thing that can be kept: in which files of a folder, and in which form."""

    files: tuple[str, ...]

    dump: Callable[[T], Mapping[str, bytes]]
    """Returns what each of the files holds."""

    load: Callable[[Path], T]
    """Reads them from a folder; raises something where they are not there whole."""


class SharedCache:
    """Files of a run, taken from another one that made them from the same.

    The run's folder gets a copy, so that it stays whole by itself.
    """

    def __init__(
        self,
        folder: Path | None = None,
        shared: Path | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Use some folders; nothing is written yet.

        Args:
            folder: the run's, which exists; None keeps and finds nothing.
            shared: that of all runs, made late; None shares nothing.
            listener: hears that another run makes the same just now.
        """
        self._folder, self._shared = folder, shared
        self._listener = listener or NullListener()

    def get(
        self, entry: Entry[T], make: Callable[[], T], *, key: str | None = None
    ) -> T:
        """Return a thing that is kept, or make it and keep it.

        Args:
            entry: what it is.
            make: makes it; other runs with the same key wait for that.
            key: names everything that it is made from, and so the runs that share it;
                None keeps it for this run alone.
        """
        folders = self._folders(key)
        with nullcontext() if len(folders) < 2 else self._locked(folders[1]):
            found = _find(entry, folders)
            if found is None:
                found = make()
                files = entry.dump(found)
                for folder in folders:
                    _write(folder, files)
            return found

    def _folders(self, key: str | None) -> list[Path]:
        """Where a thing can lie: the run's folder, and that of all with the key."""
        if self._folder is None:
            return []
        if self._shared is None or key is None:
            return [self._folder]
        return [self._folder, self._shared / key]

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._listener.stage("waiting for another run that makes the same")
            lock.acquire()
        try:
            sweep_files(folder)
            yield
        finally:
            lock.release()


def _find(entry: Entry[T], folders: list[Path]) -> T | None:
    """Read it where it is whole first, and copy it into the first folder."""
    for folder in folders:
        try:
            found = entry.load(folder)
            if folder != folders[0]:
                _write(folders[0], {n: (folder / n).read_bytes() for n in entry.files})
        except (*_DAMAGE, ProjectError):
            continue
        return found
    return None


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        write_bytes(folder / name, data)
