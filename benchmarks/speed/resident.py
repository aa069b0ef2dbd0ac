"""Resident memory of a process, by what it is."""

from pathlib import Path

import psutil


def resident_parts(process: psutil.Process) -> dict[str, float]:
    """Return the resident memory of a process by part, in MiB.

    Mapped files of a bundle by name; ``libraries`` are other files; ``own`` is the
    rest, which no other process shares.
    """
    parts: dict[str, float] = {"own": 0.0, "libraries": 0.0}
    for mapped in process.memory_maps(grouped=True):
        path = Path(mapped.path)
        name = "libraries"
        if path.suffix == ".npy":
            name = path.name
        elif not path.is_absolute():
            name = "own"
        parts[name] = parts.get(name, 0.0) + mapped.rss / 2**20
    return parts
