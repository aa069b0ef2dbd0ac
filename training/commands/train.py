"""``train``: one run on one corpus."""

import shlex
from typing import Annotated, Any

import typer

from nextvec.training.commands.console import handle_errors, say_next
from nextvec.training.commands.folders import CORPORA, RUNS
from nextvec.training.commands.options import CorpusFolder, Recipe, RunsFolder
from nextvec.training.commands.training_options import with_training_options


@with_training_options
@handle_errors()
def train(
    corpus: CorpusFolder,
    *,
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
    from nextvec.training.commands.listener import ConsoleListener
    from nextvec.training.commands.names import corpus_folder
    from nextvec.training.commands.run_summary import print_run, say_plainly
    from nextvec.training.recipe import resolve
    from nextvec.training.recipe_run import train_by_recipe

    # a wrong option before a wrong folder: it is what was typed last
    resolve(recipe, told)
    with ConsoleListener() as listener:
        card = train_by_recipe(
            corpus_folder(corpus, CORPORA),
            recipe,
            told,
            runs=runs,
            name=name,
            listener=listener,
        )
    print_run(card)
    folder = runs / card["name"]
    say_plainly(card, folder)
    say_next(f"nextvec bundle build {shlex.quote(str(folder))} --promote")
