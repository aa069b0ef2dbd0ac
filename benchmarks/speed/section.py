"""What a part of the benchmarks reports: lines of Markdown, and goals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure that was promised."""

    what: str

    found: float

    least: float | None = None
    """What it has to be at least; None if less is better."""

    most: float | None = None
    """What it has to be at most; None if more is better."""

    @property
    def is_reached(self) -> bool:
        """Whether it is within its bounds."""
        return (self.least is None or self.found >= self.least) and (
            self.most is None or self.found <= self.most
        )

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        bounds = {"at least": self.least, "at most": self.most}
        told = [f"{word} {at:g}" for word, at in bounds.items() if at is not None]
        return " and ".join(told)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report."""

    lines: Sequence[str]
    """Markdown, its heading first."""

    goals: Sequence[Goal] = field(default_factory=tuple)
    """What of it was promised."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table, line by line."""
    yield _row(heads)
    yield "|---" * len(heads) + "|"
    yield from map(_row, rows)


def goals_table(goals: Iterable[Goal]) -> Iterator[str]:
    """Write which goals were reached, line by line."""
    yield "## Goals"
    yield ""
    yield from table(
        ("what", "found", "goal", "reached"),
        (
            (
                goal.what,
                f"{goal.found:.3g}",
                goal.wanted,
                "yes" if goal.is_reached else "no",
            )
            for goal in goals
        ),
    )
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
