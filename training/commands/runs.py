"""``train``, ``evaluate``, ``compare``, ``recipes``: make runs and look at them."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from training.commands.console import console, handle_errors, say_next
from training.commands.listener import ConsoleListener
from training.commands.options import RUNS, Recipe, RunsFolder, with_training_options
from training.commands.run_summary import print_run, say_plainly
from training.commands.tables import comparison_table, evaluation_table
from training.recipe import read_recipe, recipe_names
from training.recipe_run import train_by_recipe
from training.rejudge import judge_checkpoint
from training.runs import best_run, comparison_key, finished_runs


@with_training_options
@handle_errors()
def train(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
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
    with ConsoleListener() as listener:
        card = train_by_recipe(
            corpus, recipe, told, runs=runs, name=name, listener=listener
        )
    print_run(card)
    folder = runs / card["name"]
    say_plainly(card, folder)
    say_next(f"nextvec bundle build {shlex.quote(str(folder))} --promote")


@handle_errors()
def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(help="Folder of a run, a bundle or a checkpoint.")
    ],
    *,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of the corpus (default: the one in its card)."),
    ] = None,
) -> None:
    """Judge a checkpoint on the validation documents of a corpus, without training."""
    judged = judge_checkpoint(checkpoint, corpus)
    console.print(
        evaluation_table(
            f"{checkpoint.name} on {judged.corpus}, validation",
            judged.evaluation.to_dict(),
        )
    )
    if judged.is_own_corpus:
        recorded = judged.card["evaluation"]
        console.print(evaluation_table("as recorded after training", recorded))
        return
    console.print("It was trained on another corpus; nothing is recorded for this.")
    if not judged.knows_trained:
        console.print(
            "What it was trained on is not known here: windows may hold it, and then "
            "these are no validation figures. A run's own folder knows.",
            style="bold red",
        )


@handle_errors()
def compare(
    names: Annotated[
        list[str] | None, typer.Argument(help="Runs to compare (default: all).")
    ] = None,
    *,
    runs: RunsFolder = RUNS,
) -> None:
    """Compare finished runs and mark the best one of each corpus and split."""
    found = [
        (folder, card)
        for folder, card in finished_runs(runs, skipped=_warn)
        if not names or folder.name in names
    ]
    for missing in sorted(set(names or []) - {folder.name for folder, _ in found}):
        console.print(f"No finished run is called {missing}.", style="yellow")
    for shared in sorted({comparison_key(card) for _, card in found}):
        same = [run for run in found if comparison_key(run[1]) == shared]
        best = best_run(same)[0].name
        console.print(f"\nCorpus {same[0][1]['corpus']['name']}, {shared[0][:12]}")
        console.print(comparison_table([card for _, card in same], best))
    if not found:
        console.print(f"No finished run in {runs}.")


def _warn(what: str) -> None:
    console.print(f"Left out: {what}", style="yellow", markup=False, soft_wrap=True)


def recipes() -> None:
    """List the shipped recipes and what they set."""
    for name in recipe_names():
        console.print(f"[bold]{name}[/]")
        for option, value in read_recipe(name).items():
            console.print(f"  {option} = {value}", highlight=False)
