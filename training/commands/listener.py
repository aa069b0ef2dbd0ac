"""What a person sees while a run goes on."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Final, Self

import psutil
import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nextvec.training.commands.console import console
from nextvec.training.listener import Epoch, Plan

EXIT_INTERRUPTED: Final = 130
"""Exit status after Ctrl-C or SIGTERM: that of shells for an interrupted command."""

_LOOK_S: Final = 0.1
_BUSY: Final = 0.5
# Half a processor of somebody else's: on two an epoch took 345 s beside two busy
# processes, and 10 s with one thread.


class ConsoleListener:
    """Says each stage in words, shows a bar within it, and a line for each epoch.

    As a context manager it also turns Ctrl-C and SIGTERM into a sentence that says what
    is finished: every stage and every epoch is kept, and the same command goes on.
    """

    def __init__(self) -> None:
        """Make it; it shows itself as a context manager."""
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bars.add_task("", total=None)
        self._stage = ""
        self._epoch: int | None = None
        self._headline = "Hit@K"
        self._before: signal.Handlers | object = None

    def __enter__(self) -> Self:
        """Show the bar."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _interrupt)
        busy = busy_processors()
        if busy > _BUSY:
            console.print(
                f"Other processes keep {busy:.1f} of {os.cpu_count()} processors busy: "
                "a training that shares them can take many times longer; "
                "OMP_NUM_THREADS=1 helps.",
                style="yellow",
                soft_wrap=True,
                highlight=False,
            )
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away.

        Raises:
            typer.Exit: instead of a KeyboardInterrupt, after a sentence about it.
        """
        self._bars.stop()
        if callable(self._before) or isinstance(self._before, signal.Handlers):
            signal.signal(signal.SIGTERM, self._before)
        if isinstance(error, KeyboardInterrupt):
            console.print(f"\n{self._where_it_stopped()}", style="yellow")
            raise typer.Exit(EXIT_INTERRUPTED) from error

    def stage(self, what: str) -> None:
        """Say that a stage begins."""
        self._stage, self._epoch = what, None
        console.print(f"· {what}", soft_wrap=True)
        self.phase(what)

    def phase(self, what: str) -> None:
        """Begin the bar anew, with other words beside it."""
        self._bars.reset(self._task, description=what, total=None)

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bars.update(self._task, completed=done, total=total)

    def plan(self, plan: Plan) -> None:
        """Say what decides, how long it can take, and whether it goes on."""
        self._headline = f"Hit@{plan.k}"
        console.print(
            f"  at most {plan.max_epochs} epochs; ends once validation Hit@{plan.k} in "
            f"“{plan.pool}” has not risen for {plan.patience}",
            soft_wrap=True,
            highlight=False,
        )
        if plan.epochs_done is not None:
            console.print(
                f"  going on after epoch {plan.epochs_done}, which an earlier call "
                "finished",
                highlight=False,
            )

    def epoch(self, epoch: Epoch) -> None:
        """Print a line with the figures that matter."""
        self._epoch = epoch.number
        loss = "     " if epoch.step_loss is None else f"{epoch.step_loss:.3f}"
        mark = "  [green]best yet[/]" if epoch.is_best else ""
        console.print(
            f"  epoch {epoch.number:2d}   training loss {loss}   validation "
            f"{self._headline} {100 * epoch.score:5.2f} %   {epoch.seconds:4.1f} s"
            f"{mark}"
        )
        self.phase(self._stage)

    def _where_it_stopped(self) -> str:
        if self._epoch is not None:
            done = f"Stopped after epoch {self._epoch}"
        elif self._stage:
            done = f"Stopped while {self._stage}"
        else:
            done = "Stopped before anything was begun"
        return f"{done}; the same command goes on from what is finished."


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def busy_processors() -> float:
    """Return how many processors others keep busy, while this process sleeps a moment.

    Not those that are nice: they step aside.
    """
    before, began = psutil.cpu_times(), time.monotonic()
    time.sleep(_LOOK_S)
    # not its percentages: of less than a second they are too low
    after, took = psutil.cpu_times(), time.monotonic() - began
    spent = after.user - before.user + after.system - before.system
    return float(spent / took)
