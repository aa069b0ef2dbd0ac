"""``study``: every architecture and seed on one corpus, and one report about them."""

import shlex
from pathlib import Path
from typing import Annotated, get_args

import typer

from training.commands.console import console, handle_errors
from training.commands.listener import ConsoleListener
from training.commands.options import resolve
from training.commands.runs import RUNS, Recipe, RunsFolder
from training.config import DEFAULT_RECIPES
from training.corpus.store import load_corpus
from training.models.config import Architecture
from training.study.grid import run_grid
from training.study.report import write_study
from training.study.results import read_foreign
from training.study.summary import rows_of, verdicts

STUDIES = Path("artifacts/studies")
"""Folder of the studies, unless an option says another."""


@handle_errors()
def study(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
    *,
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            help="What to compare, named several times: baseline, memory, "
            "hierarchical, linear or transformer (default: all)."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Seed; named several times (default: 0)."),
    ] = None,
    recipe: Recipe = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"Folder of the study (default: {STUDIES}/<corpus>)."),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Compare all networks and baselines on a corpus, and write a report.

    Every finished run leaves a small result file; what has left one is not run again.
    """
    loaded = load_corpus(corpus)
    architectures = architecture or list(get_args(Architecture))
    seeds = sorted(set(seed or [0]))
    folder = out or STUDIES / loaded.card.name
    configs = [
        resolve(
            recipe or DEFAULT_RECIPES[loaded.kind],
            {"architecture": name, "seed": number},
        )
        for number in seeds
        for name in dict.fromkeys(architectures)
    ]
    with ConsoleListener() as listener:
        results = run_grid(
            loaded,
            configs,
            folder,
            runs,
            corpus_folder=corpus,
            listener=listener,
            say=lambda what: console.print(f"· {what}", soft_wrap=True),
        )
    foreign = read_foreign(folder, results[0])
    command = _command(corpus, architecture, seeds, recipe, out)
    write_study(folder, results, foreign, command=command)
    for sentence in verdicts(rows_of(results)):
        console.print(f"· {sentence}", markup=False, soft_wrap=True)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)


def _command(
    corpus: Path,
    architectures: list[str] | None,
    seeds: list[int],
    recipe: str | None,
    out: Path | None,
) -> str:
    """Return the line that makes the study again."""
    words = ["nextvec", "study", str(corpus)]
    for name in architectures or ():
        words += ["--architecture", name]
    for number in seeds:
        words += ["--seed", str(number)]
    if recipe is not None:
        words += ["--recipe", recipe]
    if out is not None:
        words += ["--out", str(out)]
    return shlex.join(words)
