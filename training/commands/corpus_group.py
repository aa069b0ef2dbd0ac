"""The commands of ``corpus``, each imported when it is run."""

from typing import Final

import typer

from nextvec.training.commands.lazy_group import LazyCommand, lazy_group

_ROOM: Final = "nextvec.training.commands"

COMMANDS: Final = {
    "sample": LazyCommand(
        f"{_ROOM}.corpus:sample",
        "Make a sample corpus: pages of documentation, films rated, or folk tunes.",
    ),
    "text": LazyCommand(
        f"{_ROOM}.corpus:text",
        "Make a corpus from your own text: cut into passages, then encoded.",
    ),
    "vectors": LazyCommand(
        f"{_ROOM}.corpus:vectors", "Make a corpus from your own vectors."
    ),
    "items": LazyCommand(
        f"{_ROOM}.item_corpus:items",
        "Make a corpus from item sequences: sessions, ratings, purchases by time.",
    ),
    "show": LazyCommand(
        f"{_ROOM}.corpus:show", "Show what a corpus holds and where it came from."
    ),
    "list": LazyCommand(
        f"{_ROOM}.corpus:list_corpora", "List the corpora that were made."
    ),
}
"""Every command, in the order in which it is shown."""

corpus_app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True)


@corpus_app.callback()
def _corpus() -> None:
    """Make a corpus, list those there are, and look at one."""
