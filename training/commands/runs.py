"""``evaluate``, ``compare``, ``recipes``: look at runs and at what they set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nextvec.training.commands.console import (
    EXIT_CODE,
    AsJson,
    console,
    error_console,
    handle_errors,
    print_json,
)
from nextvec.training.commands.folders import CORPORA, RUNS
from nextvec.training.commands.options import RunsFolder


@handle_errors()
def evaluate(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run, a bundle or a checkpoint, or the name of a run."
        ),
    ],
    *,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Folder or name of the corpus (default: the one in its card)."
        ),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Judge a checkpoint on the validation documents of a corpus, without training."""
    from nextvec.training.commands.listener import ConsoleListener
    from nextvec.training.commands.names import corpus_folder, run_folder
    from nextvec.training.commands.narrow import print_table
    from nextvec.training.commands.tables import evaluation_table
    from nextvec.training.rejudge import judge_checkpoint

    checkpoint = run_folder(checkpoint, runs)
    own = None if corpus is None else corpus_folder(corpus, CORPORA)
    with ConsoleListener() as listener:
        judged = judge_checkpoint(checkpoint, own, listener=listener)
    print_table(
        evaluation_table(
            f"{checkpoint.name} on {judged.corpus}, validation",
            judged.evaluation.to_dict(),
        )
    )
    if judged.is_own_corpus:
        recorded = judged.card["evaluation"]
        print_table(evaluation_table("as recorded after training", recorded))
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
        list[str] | None,
        typer.Argument(help="Names or folders of runs to compare (default: all)."),
    ] = None,
    *,
    runs: RunsFolder = RUNS,
    as_json: AsJson = False,
) -> None:
    """Compare finished runs and mark the best one of each corpus and split."""
    from nextvec.training.commands.narrow import print_table
    from nextvec.training.commands.tables import comparison_table, say_names
    from nextvec.training.runs import best_run, comparison_key, finished_runs

    wanted = {Path(name).name for name in names or ()}
    found = [
        (folder, card)
        for folder, card in finished_runs(runs, skipped=_warn)
        if not wanted or folder.name in wanted
    ]
    if as_json:
        print_json(_compared(found))
        return
    for missing in sorted(wanted - {folder.name for folder, _ in found}):
        error_console.print(f"No finished run is called {missing}.", style="yellow")
    for shared in sorted({comparison_key(card) for _, card in found}):
        same = [run for run in found if comparison_key(run[1]) == shared]
        best = best_run(same)[0].name
        console.print(f"\nCorpus {same[0][1]['corpus']['name']}, {shared[0][:12]}")
        cards = [card for _, card in same]
        say_names(cards, best)
        print_table(comparison_table(cards))
    if not found and not wanted:
        console.print(f"No finished run in {runs}.")
    if wanted - {folder.name for folder, _ in found}:
        raise typer.Exit(EXIT_CODE)


def _compared(found: Sequence[tuple[Path, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what is compared as plain types, the best of each corpus marked."""
    from nextvec.training.runs import best_run, comparison_key

    rows = []
    for shared in sorted({comparison_key(card) for _, card in found}):
        same = [run for run in found if comparison_key(run[1]) == shared]
        best = best_run(same)[0]
        rows += [
            {
                "run": card["name"],
                "folder": str(folder),
                "corpus": card["corpus"]["name"],
                "architecture": card["model"]["architecture"],
                "seed": card["seed"],
                "best_epoch": card["best_epoch"],
                "k": card["k"],
                "selection_pool": card["selection_pool"],
                "best_score": card["best_score"],
                "is_best": folder == best,
                "readiness": card["readiness"]["verdict"],
                "pools": card["evaluation"]["pools"],
            }
            for folder, card in same
        ]
    return rows


def _warn(what: str) -> None:
    error_console.print(
        f"Left out: {what}", style="yellow", markup=False, soft_wrap=True
    )


def recipes(*, as_json: AsJson = False) -> None:
    """List the shipped recipes and what they set."""
    from nextvec.training.recipe import read_recipe, recipe_names

    if as_json:
        print_json({name: read_recipe(name) for name in recipe_names()})
        return
    for name in recipe_names():
        console.print(f"[bold]{name}[/]")
        for option, value in read_recipe(name).items():
            console.print(f"  {option} = {value}", highlight=False)
