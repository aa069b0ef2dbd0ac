"""The commands of ``keys``, each imported when it is run."""

from typing import Final

import typer

from nextvec.training.commands.lazy_group import LazyCommand, lazy_group

_FILE: Final = "nextvec.app.commands.keys"

COMMANDS: Final = {
    "create": LazyCommand(f"{_FILE}:create", "Make a key, and show it this once."),
    "list": LazyCommand(
        f"{_FILE}:list_keys", "List the keys; what each is, nobody can tell."
    ),
    "revoke": LazyCommand(
        f"{_FILE}:revoke", "Make a key invalid, for a running service within a second."
    ),
}
"""Every command, in the order in which it is shown."""

keys_app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True)


@keys_app.callback()
def _keys() -> None:
    """Make and revoke the API keys of the service."""
