"""``train``, ``evaluate``, ``compare``, ``recipes``: make runs and look at them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from training.commands.console import console, handle_errors
from training.commands.listener import ConsoleListener
from training.commands.options import resolve, with_training_options
from training.commands.tables import (
    comparison_table,
    evaluation_table,
    readiness_table,
    result_table,
)
from training.config import DEFAULT_RECIPES, read_recipe, recipe_names
from training.corpus.store import load_corpus
from training.evaluation.statistics import Estimate, points
from training.rejudge import judge_checkpoint
from training.reporting.diagnosis import RULES, findings
from training.run import run_name
from training.run import train as train_run
from training.run_folder import REPORT, SHARED, is_finished
from training.runs import best_run, comparison_key, finished_runs

RUNS = Path("artifacts/runs")
"""Folder of the runs, unless an option says another."""

_SEVERITY_STYLES = {"problem": "red", "warning": "yellow", "notice": "cyan"}

Recipe = Annotated[
    str | None,
    typer.Option(
        help="Name of a shipped recipe, or path of a TOML file (default: default, and "
        "items for item sequences)."
    ),
]
RunsFolder = Annotated[Path, typer.Option(help="Folder that holds the runs.")]


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
    card = train_in(corpus, recipe, told, runs=runs, name=name)
    console.print(f"Report: {runs / card['name'] / REPORT}", soft_wrap=True)


def train_in(
    corpus_folder: Path,
    recipe: str | None,
    told: dict[str, Any],
    *,
    runs: Path = RUNS,
    name: str | None = None,
) -> dict[str, Any]:
    """Train, or find the run finished, show its tables, and return its card."""
    # what was told is refused before a corpus is read
    resolve(recipe or DEFAULT_RECIPES["documents"], told)
    corpus = load_corpus(corpus_folder)
    config = resolve(recipe or DEFAULT_RECIPES[corpus.kind], told)
    folder = runs / (name or run_name(corpus, config))
    if is_finished(folder):
        console.print(f"· run {folder.name} is finished already", soft_wrap=True)
    with ConsoleListener() as listener:
        card = train_run(
            corpus,
            config,
            folder,
            corpus_folder=corpus_folder,
            shared=runs / SHARED,
            listener=listener,
        )
    show(card)
    return card


def show(card: dict[str, Any]) -> None:
    """Print what came out of a run."""
    console.print(result_table(card))
    gain = card["diagnostics"]["memory_gain"]
    if gain is not None:
        shown = points(Estimate.from_plain(gain)).replace("[", r"\[")
        console.print(f"What the memory's reads bring, against their mean: {shown}")
    console.print(readiness_table(card))
    _show_diagnosis(card)


def _show_diagnosis(card: dict[str, Any]) -> None:
    """Print what the rules found; a card from before they were written is held to them.

    The card of such a run stays as it is.
    """
    told = card.get("diagnosis")
    if told is None:
        told = [finding.to_dict() for finding in findings(card)]
    if not told:
        console.print(f"diagnosis: none of {len(RULES)} rules found anything")
        return
    console.print("diagnosis:")
    for finding in told:
        style = _SEVERITY_STYLES.get(finding["severity"], "")
        console.print(
            Text.assemble(
                ("· ", style),
                (f"{finding['severity']}: {finding['name']}. ", style),
                f"{finding['sentence']} Threshold: {finding['threshold']}. "
                f"Try: {finding['advice']}",
            )
        )


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
