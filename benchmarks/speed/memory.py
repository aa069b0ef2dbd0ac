"""What each part of a bundle takes of memory: ``python -m benchmarks.speed.memory``.

The parts are loaded one after another in a process of their own, and after each its
resident memory is read. Files that are mapped cost nothing before they are read, and
are shared by all processes that map them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.speed.section import Section, table
from benchmarks.speed.synthetic import BEST, make_bundles

OWN: Final = "own"
"""Memory that no other process shares."""

_LIBRARIES: Final = "libraries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Resident memory after a part is there."""

    part: str

    mib: dict[str, float]
    """By what it is: own, libraries, and mapped files of the bundle by name."""


def measure_memory(bundle: Path) -> list[Stage]:
    """Load a bundle part by part in a new process.

    Returns:
        The stages in order, the first before anything of this project is imported.
    """
    command = [sys.executable, "-m", "benchmarks.speed.loading", str(bundle)]
    done = subprocess.run(  # noqa: S603 - ourselves
        command, check=True, capture_output=True, text=True
    )
    return [Stage(**told) for told in json.loads(done.stdout)]


def memory_section(shape: str, stages: list[Stage]) -> Section:
    """Report what each part adds."""
    return Section(list(_lines(shape, stages)))


def _lines(shape: str, stages: list[Stage]) -> Iterator[str]:
    yield f"## Memory by part, MiB, {shape}"
    yield ""
    yield "What is resident more after each part was loaded, in this order, in a "
    yield "process that does nothing else; files of a bundle that are arrays are "
    yield "mapped, and resident where they were read: the first answers read all of "
    yield "them, to find out from how many queries on codes pay."
    yield ""
    rows = [
        (stage.part, *_added(before.mib, stage.mib))
        for before, stage in pairwise(stages)
    ]
    last = stages[-1].mib
    total = ("all, and Python itself", *_added({}, last))
    heads = ("part", OWN, _LIBRARIES, "mapped files of the bundle")
    yield from table(heads, [*rows, total])
    yield ""


def _added(before: dict[str, float], after: dict[str, float]) -> tuple[str, str, str]:
    """Return what is there more, in words: own, libraries, files by name."""
    more = {name: size - before.get(name, 0.0) for name, size in after.items()}
    files = [
        f"{name} {size:.1f}"
        for name, size in more.items()
        if name not in (OWN, _LIBRARIES) and size >= 0.05
    ]
    return (
        f"{more[OWN]:.1f}",
        f"{more[_LIBRARIES]:.1f}",
        ", ".join(files) or "none",
    )


def main() -> None:
    """Print the table of a synthetic bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=71_526)
    parser.add_argument("--dim", type=int, default=256)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = make_bundles(Path(scratch), {"best": BEST}, rows=told.rows, dim=told.dim)
        stages = measure_memory(made["best"])
    print("\n".join(memory_section(f"{told.rows:,} x {told.dim}", stages).lines))


if __name__ == "__main__":
    main()
