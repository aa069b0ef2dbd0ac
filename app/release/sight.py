"""What LIVE names, and whether anything there has changed."""

from dataclasses import dataclass
from pathlib import Path

from nextvec.app.bundle.manifest import MANIFEST
from nextvec.app.release.refusal import Code, told
from nextvec.app.release.registry import Pointer, Registry
from nextvec.training.errors import BundleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is on disk, as far as it matters which bundle is to answer."""

    pointer: Pointer | None
    """What LIVE holds; None if it is not there or cannot be read."""

    wanted: str | None
    """The bundle that should answer."""

    made: object
    """When it was made (`when_made`)."""

    fault: tuple[Code, str] | None
    """Why none can be wanted, or why it cannot be there."""

    mark: object
    """Equal as long as nothing has changed: what failed then will fail again."""


def look(
    registry: Registry, *, pinned: str | None, serving: tuple[str, object] | None
) -> Sight:
    """Look at the disk; a volume may be slow, or away.

    Args:
        registry: the bundles, and LIVE.
        pinned: the only version that is served, whatever LIVE names.
        serving: what answers, and when it was made; of its files only the manifest is
            looked at.
    """
    pointer: Pointer | None = None
    fault: tuple[Code, str] | None = None
    try:
        pointer = registry.pointer()
    except BundleError as error:
        fault = ("unreadable-pointer", told(error, registry.folder))
    else:
        if pointer is None:
            fault = ("no-bundle", "nothing was promoted")
    wanted = None if pointer is None else pointer.version
    if pinned is not None:
        wanted, fault = pinned, None
    state: object = None
    made: object = None if wanted is None else when_made(registry.folder / wanted)
    if serving is not None and (wanted, made) == (serving[0], None):
        # its folder is away, or is being replaced; what was read of it is whole
        made = serving[1]
    if wanted is not None and (wanted, made) != serving:
        there = registry.versions()
        if wanted in there:
            state = _state_of(registry.folder / wanted)
        else:
            names = ", ".join(there) or "none"
            fault = ("unknown-bundle", f"no bundle {wanted!r}; there are: {names}")
    mark = (wanted, fault, state)
    return Sight(pointer=pointer, wanted=wanted, made=made, fault=fault, mark=mark)


def when_made(folder: Path) -> tuple[int, int] | None:
    """Return what is another if a bundle is made anew under its name; None without it.

    That happens to a damaged one. No number of a file: on some mounted volumes a file
    has another one from time to time.
    """
    try:
        about = (folder / MANIFEST).stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file in a folder does."""
    found = []
    try:
        for path in sorted(folder.iterdir()):
            about = path.stat()
            found.append((path.name, about.st_size, about.st_mtime_ns))
    except OSError:
        # going or coming at this moment; loading it will say what is wrong
        return ()
    return tuple(found)
