"""Processor time of ``--help``: ``python -m benchmarks.commandline``.

Each is run several times; the median counts. The report is printed, and written beside
the others.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from nextvec.app.commands import bundle_group, main
from nextvec.training.commands import corpus_group
from nextvec.training.files import write_bytes

_GROUPS: Final = {"corpus": corpus_group.COMMANDS, "bundle": bundle_group.COMMANDS}

COMMANDS: Final = (
    ["--help"],
    ["--version"],
    *([name, "--help"] for name in main.COMMANDS),
    *([group, name, "--help"] for group, names in _GROUPS.items() for name in names),
)
"""Every help there is."""


def measure() -> None:
    """Measure every command and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/reports"))
    told = parser.parse_args()
    rows = [(words, seconds(words, told.repeats)) for words in COMMANDS]
    now = datetime.now(UTC)
    python = seconds(None, told.repeats)
    about = (
        f"{psutil.cpu_count()} CPUs, {platform.platform()}; Python "
        f"{platform.python_version()}, typer {version('typer')}, torch "
        f"{version('torch')}. Processor seconds, medians of {told.repeats} runs; an "
        f"empty Python takes {python:.2f}."
    )
    lines = [f"# The command line, {now:%Y-%m-%d}", "", about, ""]
    lines += ["| command | seconds | against `--help` |", "|---|---|---|"]
    lines += [
        f"| `nextvec {' '.join(words)}` | {taken:.2f} | {taken / rows[0][1]:.1f} |"
        for words, taken in rows
    ]
    text = "\n".join(lines) + "\n"
    path = told.out / f"{now:%Y-%m-%d}-commandline.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())
    print(text)


def seconds(words: list[str] | None, repeats: int) -> float:
    """Return the median of the processor seconds that a command takes.

    Args:
        words: of the command, after ``nextvec``; None runs an empty Python.
        repeats: how often it is run.
    """
    script = "from nextvec.app.commands.main import main; main()"
    command = [sys.executable, "-c", "pass" if words is None else script]
    taken = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(  # noqa: S603 - our own words
            [*command, *(words or [])], check=True, stdout=subprocess.DEVNULL
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
    return statistics.median(taken)


if __name__ == "__main__":
    measure()
