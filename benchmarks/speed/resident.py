"""Resident memory of a process, by what it is."""

from pathlib import Path

import psutil


def resident_mib(process: psutil.Process) -> float:
    """Return the resident memory of a process, in MiB."""
    return float(process.memory_info().rss / 2**20)


def resident_parts(process: psutil.Process) -> dict[str, float]:
    """Return the resident memory of a process by part, in MiB (`memory_parts`)."""
    return {name: resident for name, (resident, _) in memory_parts(process).items()}


def memory_parts(process: psutil.Process) -> dict[str, tuple[float, float]]:
    """Return the memory of a process by part: resident, and its share of that, in MiB.

    Of a page that several processes hold each has a part as its share (PSS). Mapped
    files of a bundle stand by name; ``libraries`` are other files; ``own`` is the
    rest, which no other process shares.
    """
    parts = {"own": (0.0, 0.0), "libraries": (0.0, 0.0)}
    for mapped in process.memory_maps(grouped=True):
        path = Path(mapped.path)
        name = "libraries"
        if path.suffix == ".npy":
            name = path.name
        elif not path.is_absolute():
            name = "own"
        resident, share = parts.get(name, (0.0, 0.0))
        parts[name] = (resident + mapped.rss / 2**20, share + mapped.pss / 2**20)
    return parts
