"""Tables in terminals that are too narrow for them."""

from typing import Final

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from nextvec.training.commands.console import console

_ANY_WIDTH: Final = 10_000


def print_table(table: Table) -> None:
    """Print a table, or a block for each row where a word would not fit its column.

    Rich breaks words and drops columns to make a table fit; a name or a figure that
    is broken says something else. Lines of a block end between words, and a word that
    is longer than a line stays whole.

    Args:
        table: its headers and cells are strings.
    """
    wide = console.options.update(width=_ANY_WIDTH)
    if Measurement.get(console, wide, table).minimum <= console.width:
        console.print(table)
        return
    if table.title:
        _print_line(f"[italic]{table.title}[/]")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        named = zip((column.header for column in table.columns), row, strict=True)
        (first, value), *others = ((name, value) for name, value in named if value)
        _print_line(f"[bold]{_fact(first, value)}[/]")
        for name, other in others:
            _print_line(f"  {_fact(name, other)}")


def _fact(name: object, value: object) -> str:
    return f"{name}: {value}" if name else str(value)


def _print_line(line: str) -> None:
    text = Text.from_markup(line)
    longest = max(map(len, text.plain.split()), default=0)
    # wrapped by the console, a word that is too long would be cut
    console.print(text, soft_wrap=longest > console.width, highlight=False)
