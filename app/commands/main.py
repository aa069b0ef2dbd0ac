"""The one console command, ``nextvec``."""

from importlib.metadata import version
from typing import Annotated, Final

import typer

from nextvec.training.commands.lazy_group import LazyCommand, lazy_group

COMMANDS: Final = {
    "up": LazyCommand(
        "nextvec.app.commands.up:up",
        "Make corpus, checkpoint and bundle, whatever of it is missing, and serve.",
    ),
    "corpus": LazyCommand(
        "nextvec.training.commands.corpus_group:corpus_app",
        "Make a corpus, list those there are, and look at one.",
    ),
    "train": LazyCommand(
        "nextvec.training.commands.train:train",
        "Train a model on a corpus until validation Hit@K stops rising.",
    ),
    "evaluate": LazyCommand(
        "nextvec.training.commands.runs:evaluate",
        "Judge a checkpoint on the validation documents of a corpus, without training.",
    ),
    "compare": LazyCommand(
        "nextvec.training.commands.runs:compare",
        "Compare finished runs and mark the best one of each corpus and split.",
    ),
    "study": LazyCommand(
        "nextvec.training.commands.study:study",
        "Compare all networks and baselines on a corpus, and write a report.",
    ),
    "recipes": LazyCommand(
        "nextvec.training.commands.runs:recipes",
        "List the shipped recipes and what they set.",
    ),
    "bundle": LazyCommand(
        "nextvec.app.commands.bundle_group:bundle_app",
        "Make bundles, and choose which one is live.",
    ),
    "keys": LazyCommand(
        "nextvec.app.commands.keys_group:keys_app",
        "Make and revoke the API keys of the service.",
    ),
    "serve": LazyCommand(
        "nextvec.app.commands.serve:serve",
        "Serve the live bundle over HTTP.",
    ),
    "predict": LazyCommand(
        "nextvec.app.commands.predict:predict",
        "Ask a running service what comes next.",
    ),
}
"""Every command, in the order in which it is shown."""

cli = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nextvec {version('nextvec')}")
        raise typer.Exit


@cli.callback()
def _options(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Predict the next embedding vector, and find the real things nearest to it."""


def main() -> None:
    """Run the command line."""
    cli()
