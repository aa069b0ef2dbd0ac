"""How commands talk to people: one console, red errors, progress bars."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import TimeElapsedColumn as Elapsed

from nextvec.training.errors import ProjectError

console = Console()
"""Where results go: standard output."""

error_console = Console(stderr=True)
"""Where errors go: standard error."""

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs, and nothing else.")
]

EXIT_CODE = 1
"""Exit status after an error that a person can act on."""


@contextmanager
def handle_errors() -> Iterator[None]:
    """Turn an error that a person can act on into a red sentence and exit status 1.

    Works around a block and as a decorator of a command. Errors of the project and of
    the file system are such errors; anything else is a bug and keeps its traceback.

    Raises:
        typer.Exit: instead of a `ProjectError` or `OSError`.
    """
    try:
        yield
    except (ProjectError, OSError) as error:
        # square brackets in a message are no style
        error_console.print(
            f"Error: {error}", style="bold red", markup=False, soft_wrap=True
        )
        raise typer.Exit(EXIT_CODE) from error


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show one bar for each stage.

    Yields:
        A function that takes a stage in plain words, how much of it is done, and of how
        much.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (Elapsed(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=console) as progress:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            progress.update(tasks[stage], completed=done, total=total)

        yield report


def say_next(*lines: str) -> None:
    """Say what comes next: commands that can be pasted, one to a line."""
    console.print("Next:")
    for line in lines:
        shown = line.replace("nextvec", command_name(), 1)
        console.print(f"  {shown}", markup=False, highlight=False, soft_wrap=True)


def command_name() -> str:
    """Return what to type for this command: its path, where it is not on the PATH."""
    called = Path(sys.argv[0])
    if shutil.which("nextvec") is not None or called.name != "nextvec":
        return "nextvec"
    return os.path.relpath(called)


def print_json(data: object) -> None:
    """Print data as JSON for programs: nothing else goes to standard output."""
    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
