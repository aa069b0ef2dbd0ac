"""A group of commands whose modules are imported when a command is run.

Typer imports what it shows. Half of the commands need torch, which takes seconds to
import, and none of it is needed to say what there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is, and what is said of it before it is imported."""

    target: str
    """``module:attribute`` of a function, or of a `typer.Typer` with commands."""

    summary: str
    """First sentence of its help."""

    def load(self, name: str) -> TyperCommand | TyperGroup:
        """Import it."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command()(found)
            found = alone
        command: Any = typer.main.get_command(found)
        command.name = name
        loaded: TyperCommand | TyperGroup = command
        return loaded


def lazy_group(lazy: Mapping[str, LazyCommand]) -> type[TyperGroup]:
    """Make a group of commands that are imported when they are run.

    Args:
        lazy: the commands by name, in the order they are shown.

    Returns:
        A class for ``typer.Typer(cls=...)``.
    """

    class LazyGroup(TyperGroup):
        """Knows what to say of its commands, and loads the one that is asked for."""

        def __init__(self, **told: Any) -> None:  # noqa: ANN401 - Typer's own
            super().__init__(**told)
            for name, one in lazy.items():
                self.add_command(TyperCommand(name, help=one.summary), name)
            self._loaded: set[str] = set()

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
            name: Final = args[0]
            if name in lazy and name not in self._loaded:
                self._loaded.add(name)
                self.add_command(lazy[name].load(name), name)
            return super().resolve_command(ctx, args)

    return LazyGroup
