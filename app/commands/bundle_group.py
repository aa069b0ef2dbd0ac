"""The commands of ``bundle``, each imported when it is run."""

from typing import Final

import typer

from nextvec.training.commands.lazy_group import LazyCommand, lazy_group

_FILE: Final = "nextvec.app.commands.bundle"

COMMANDS: Final = {
    "build": LazyCommand(
        f"{_FILE}:build",
        "Put a run's model, its index and its validation together as one version.",
    ),
    "list": LazyCommand(
        f"{_FILE}:list_bundles",
        "List the bundles; the live one is marked, one that cannot be read named.",
    ),
    "verify": LazyCommand(
        f"{_FILE}:verify",
        "Say whether bundles are whole: seal, every file, and the golden query.",
    ),
    "promote": LazyCommand(
        f"{_FILE}:promote",
        "Make a bundle live, once it has answered its golden query.",
    ),
    "rollback": LazyCommand(
        f"{_FILE}:rollback", "Make the bundle live that was live before."
    ),
    "remove": LazyCommand(
        f"{_FILE}:remove",
        "Delete a bundle that is neither live nor the one before it.",
    ),
}
"""Every command, in the order in which it is shown."""

bundle_app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True)


@bundle_app.callback()
def _bundle() -> None:
    """Make bundles, and choose which one is live."""
