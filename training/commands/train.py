"""``train``: one run on one corpus."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from nextvec.training.commands.console import handle_errors, say_next
from nextvec.training.commands.folders import CORPORA, RUNS
from nextvec.training.commands.options import (
    CorpusOption,
    Recipe,
    RunsFolder,
)
from nextvec.training.commands.training_options import with_training_options


@with_training_options
@handle_errors()
def train(
    corpus: Annotated[
        Path | None,
        typer.Argument(help=f"Folder of a corpus, or the name of one in {CORPORA}."),
    ] = None,
    *,
    corpus_option: CorpusOption = None,
    recipe: Recipe = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run (default: corpus, architecture, digest)."),
    ] = None,
    runs: RunsFolder = RUNS,
    told: dict[str, Any],
) -> None:
    """Train a model on a corpus until validation Hit@K stops rising.

    A run that was interrupted goes on; one that is finished is shown again.
    """
    from nextvec.training.commands.names import one_corpus
    from nextvec.training.recipe import resolve

    # a wrong option before a wrong folder: it is what was typed last
    resolve(recipe, told)
    folder = one_corpus(corpus, corpus_option, CORPORA)
    if folder is None:
        msg = "give a corpus: its folder, or its name"
        raise typer.BadParameter(msg)

    # after that: torch takes seconds, and a wrong word is told at once
    from nextvec.training.commands.listener import ConsoleListener
    from nextvec.training.commands.run_summary import print_run, say_plainly
    from nextvec.training.recipe_run import train_by_recipe

    with ConsoleListener() as listener:
        card = train_by_recipe(
            folder,
            recipe,
            told,
            runs=runs,
            name=name,
            listener=listener,
        )
    print_run(card)
    made = runs / card["name"]
    say_plainly(card, made)
    say_next(f"nextvec bundle build {shlex.quote(str(made))} --promote")
