"""What a person sees while a run goes on."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from training.commands.console import console
from training.listener import Epoch


class ConsoleListener:
    """Says each stage in words, shows a bar within it, and a line for each epoch."""

    def __init__(self) -> None:
        """Make it; it shows itself as a context manager."""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console, transient=True)
        self._task = self._bars.add_task("", total=None)
        self._stage = ""

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._bars.stop()

    def stage(self, what: str) -> None:
        """Say that a stage begins."""
        self._stage = what
        console.print(f"· {what}", soft_wrap=True)
        self._bars.reset(self._task, description=what, total=None)

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bars.update(self._task, completed=done, total=total)

    def epoch(self, epoch: Epoch) -> None:
        """Print a line with the figures that matter."""
        loss = "     " if epoch.step_loss is None else f"{epoch.step_loss:.3f}"
        mark = "  [green]best yet[/]" if epoch.is_best else ""
        console.print(
            f"  epoch {epoch.number:2d}   training loss {loss}   validation Hit@K "
            f"{100 * epoch.score:5.2f} %   {epoch.seconds:4.1f} s{mark}"
        )
        self._bars.reset(
            self._task, description=f"epoch {epoch.number + 1}", total=None
        )
