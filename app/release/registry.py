"""Which bundles there are, and which one is live."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.manifest import MANIFEST, Manifest
from nextvec.app.inference.golden import open_engine
from nextvec.training.checked import from_json
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.errors import BundleError
from nextvec.training.files import sweep_files, write_json
from nextvec.training.folders import only_writer, remove_folder, sweep

POINTER: Final = "LIVE"

INTENT: Final = ".LIVE.next"
"""Beside the pointer, while a bundle is built that is to go live."""

_WAIT_S: Final = 10.0
# For another process that moves the pointer, which takes some milliseconds.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What the file LIVE holds, as JSON."""

    version: str
    """The live bundle."""

    previous: str | None = None
    """The one before it, for a rollback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the file `INTENT` holds, as JSON."""

    version: str
    """The bundle that is to go live."""

    live: str | None
    """What was live when that was decided, None for nothing."""


class Registry:
    """The folder of bundles, and the pointer in it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not exist."""
        self.folder = folder

    def versions(self) -> list[str]:
        """Return the names of all bundles, sorted."""
        names = (path.parent.name for path in self.folder.glob(f"*/{MANIFEST}"))
        # a dot begins the name of what is being written, or was when it was cut off
        return sorted(name for name in names if not name.startswith("."))

    def path(self, version: str) -> Path:
        """Return the folder of a bundle.

        Raises:
            BundleError: there is none of that name.
        """
        if version not in self.versions():
            there = ", ".join(self.versions()) or "none"
            msg = f"{self.folder}: no bundle {version!r}; there are: {there}"
            raise BundleError(msg)
        return self.folder / version

    def manifest(self, version: str) -> Manifest:
        """Read what a bundle is made of; none of its other files is looked at.

        Raises:
            BundleError: there is none of that name, its manifest cannot be read, or is
                that of another bundle.
        """
        folder = self.path(version)
        manifest = Manifest.load(folder)
        manifest.require_folder(folder)
        return manifest

    def pointer(self) -> Pointer | None:
        """Return what is live, None if nothing is.

        Raises:
            BundleError: the pointer is unreadable.
        """
        path = self.folder / POINTER
        try:
            return from_json(Pointer, path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            msg = f"{path}: expected JSON with version and previous: {error}"
            raise BundleError(msg) from error

    def live(self) -> Path:
        """Return the folder of the live bundle.

        Raises:
            BundleError: nothing was promoted, or what was is gone.
        """
        pointer = self.pointer()
        if pointer is None:
            msg = f"{self.folder}: no bundle has been promoted"
            raise BundleError(msg)
        return self.path(pointer.version)

    def promote(
        self,
        version: str,
        *,
        require_go: bool = False,
        progress: Progress = ignore_progress,
    ) -> Bundle:
        """Make a bundle live, once it has answered its golden query.

        Args:
            version: name of the bundle.
            require_go: refuse one whose readiness is not GO.
            progress: told as by `open_engine`.

        Returns:
            The bundle, loaded.

        Raises:
            BundleError: unknown, damaged, another answer to the golden query, or not
                GO; the pointer is left as it was.
        """
        bundle = open_engine(self.path(version), progress).bundle
        self.make_live(bundle, require_go=require_go)
        return bundle

    def make_live(
        self, bundle: Bundle, *, require_go: bool = False, previous: str | None = None
    ) -> None:
        """Make a bundle of this folder live that has answered its golden query.

        A pointer that cannot be read is replaced.

        Args:
            bundle: from `open_engine`, or from where it was built.
            require_go: refuse one whose readiness is not GO.
            previous: what a rollback goes back to; None, or one that is not there any
                more, takes what is live.

        Raises:
            BundleError: not GO, or removed meanwhile; the pointer is left as it was.
        """
        version = bundle.manifest.version
        if require_go and bundle.verdict != "GO":
            msg = f"{version}: its readiness is {bundle.verdict}, GO is required"
            raise BundleError(msg)
        with self._writing():
            # it took seconds to load, and another process may have removed it
            self.path(version)
            try:
                pointer = self.pointer()
            except BundleError:
                # what nobody can read is no choice, and this is how it is mended
                pointer = None
            live = None if pointer is None else pointer.version
            if live != version:
                before = previous if previous in self.versions() else live
                self._write(POINTER, Pointer(version=version, previous=before))
            # whatever was intended: this is what was chosen since
            (self.folder / INTENT).unlink(missing_ok=True)

    def intend(self, version: str) -> None:
        """Remember that a bundle is to go live, before it is built.

        Whoever is killed between building and `make_live` finds it in `intended`.
        """
        with self._writing():
            pointer = self.pointer()
            live = None if pointer is None else pointer.version
            self._write(INTENT, Intent(version=version, live=live))

    def intended(self) -> str | None:
        """Return the bundle that was to go live, and did not.

        None if there is no such one, or if somebody has chosen since what is live.
        """
        try:
            intent = from_json(Intent, (self.folder / INTENT).read_bytes())
        except (OSError, ValueError):
            # a choice that cannot be read is none: what is live stays so
            return None
        pointer = self.pointer()
        live = None if pointer is None else pointer.version
        return intent.version if intent.live == live else None

    def rollback(self) -> str:
        """Make the previous bundle live again, and the live one the previous.

        Returns:
            The version that is live now.

        Raises:
            BundleError: there is no previous one, or it fails what promotion asks.
        """
        pointer = self.pointer()
        if pointer is None or pointer.previous is None:
            msg = f"{self.folder}: no bundle was live before this one"
            raise BundleError(msg)
        self.promote(pointer.previous)
        return pointer.previous

    def remove(self, version: str) -> None:
        """Delete a bundle.

        Raises:
            BundleError: unknown, or live, or the one that a rollback would need.
        """
        # before a lock is put where there may be no bundles at all
        folder = self.path(version)
        with self._writing():
            # nobody makes it live from here on
            self._require_idle(version)
            remove_folder(folder)

    def _require_idle(self, version: str) -> None:
        pointer = self.pointer()
        kept: dict[str | None, str] = {}
        if pointer is not None:
            kept[pointer.previous] = "is what a rollback goes back to"
            kept[pointer.version] = "is live"
        if version in kept:
            msg = (
                f"{version}: {kept[version]}; promote others first, this one is kept "
                "until it is neither live nor the one before"
            )
            raise BundleError(msg)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep other processes from the pointer; clear away what killed ones left."""
        with only_writer(self.folder / POINTER, wait_s=_WAIT_S):
            sweep(self.folder)
            sweep_files(self.folder)
            yield

    def _write(self, name: str, data: Pointer | Intent) -> None:
        write_json(self.folder / name, asdict(data))
