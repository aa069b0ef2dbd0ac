"""All benchmarks of speed and memory, and a report of them.

    make bench                                     all, after `make run`
    python -m benchmarks.speed --only peers --only traffic

Parts that say so need the live bundle of `make run`; the others make what they measure:
a Memory GRU of documents of hidden size 256 over 71,526 rows of D = 256, and over
100,000 of D = 768. About 15 minutes on two quiet cores, and five more the first time,
when the environments of BentoML and LitServe are made.
"""

import argparse
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from benchmarks.speed.parts import PARTS, Material
from benchmarks.speed.section import Section, goals_table
from nextvec.training.files import write_bytes


def main() -> None:
    """Measure the parts, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("artifacts"))
    parser.add_argument(
        "--only",
        action="append",
        choices=list(PARTS),
        help="a part, named several times; all if none",
    )
    parser.add_argument("--requests", type=int, default=300, help="of one client")
    parser.add_argument("--mixed", type=int, default=5000, help="mixed requests")
    parser.add_argument(
        "--rounds", type=int, default=5, help="under load, beside peers"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of 32 clients each")
    parser.add_argument(
        "--environments",
        type=Path,
        help="folder of the peers' virtual environments, made if missing (ROOT)",
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/reports"))
    told = parser.parse_args()
    # as Ctrl-C does: servers that were started have to be stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    named = told.only or list(PARTS)
    sections = []
    with tempfile.TemporaryDirectory() as scratch:
        material = Material(
            root=told.root,
            scratch=Path(scratch),
            environments=told.environments or told.root,
            requests=told.requests,
            mixed=told.mixed,
            rounds=told.rounds,
            seconds=told.seconds,
        )
        for name in (name for name in PARTS if name in named):
            print(f"{name} ...", flush=True)
            began = datetime.now(UTC)
            sections.append(PARTS[name](material))
            took = datetime.now(UTC) - began
            print(f"{name}: {took.total_seconds():.0f} s", flush=True)
    now = datetime.now(UTC)
    machine = f"{platform.machine()}-{psutil.cpu_count()}cpu"
    parts = "".join(f"-{name}" for name in told.only or ())
    path = told.out / f"{now:%Y-%m-%d}-{machine}{parts}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line.rstrip() for line in report(named, sections)]
    write_bytes(path, ("\n".join(lines).rstrip() + "\n").encode())
    print(path.read_text())


def report(named: Sequence[str], sections: Sequence[Section]) -> Iterator[str]:
    """Write the report, line by line: where, which goals were reached, each part."""
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("nextvec", "torch", "numpy", "faiss-cpu")
    )
    yield f"# Benchmarks, {datetime.now(UTC):%Y-%m-%d}"
    yield ""
    yield f"{processor()}, {psutil.cpu_count()} CPUs, "
    yield f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.platform()}; "
    yield f"Python {platform.python_version()}, {versions}; threads of training "
    yield f"{torch.get_num_threads()}; load at the end {psutil.getloadavg()[2]:.1f}. "
    yield f"One run of `python -m benchmarks.speed`: {', '.join(named)}."
    yield ""
    goals = [goal for section in sections for goal in section.goals]
    if goals:
        yield from goals_table(goals)
    for section in sections:
        yield from section.lines


def processor() -> str:
    """Name the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
