"""``study``: every architecture and seed on one corpus, and one report about them."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer
from filelock import FileLock

from training.commands.console import console, handle_errors
from training.commands.listener import ConsoleListener
from training.commands.options import RUNS, Recipe, RunsFolder
from training.corpus.store import load_corpus
from training.models.config import Architecture
from training.recipe import resolve
from training.study.foreign import foreign_rows, read_foreign
from training.study.grid import run_grid
from training.study.report import PAGE, write_study
from training.study.results import Result, read_results
from training.study.summary import PARTS, rows_of, verdicts

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

    Every finished run leaves a small result file; what has left one is not run again,
    and the report is about all that lie there.
    """
    loaded = load_corpus(corpus)
    architectures = architecture or list(get_args(Architecture))
    seeds = sorted(set(seed or [0]))
    folder = out or STUDIES / loaded.card.name
    configs = [
        resolve(recipe, {"architecture": name, "seed": number}, kind=loaded.kind)
        for number in seeds
        for name in dict.fromkeys(architectures)
    ]
    with ConsoleListener() as listener:
        made = run_grid(
            loaded,
            configs,
            folder,
            runs,
            corpus_folder=corpus,
            listener=listener,
            say=lambda what: console.print(f"· {what}", soft_wrap=True),
        )
    # another call may work for this study: the last one to write must know all results
    with FileLock(folder / ".lock"):
        results = read_results(folder, made[0])
        foreign = read_foreign(folder, made[0])
        write_study(
            folder,
            results,
            foreign,
            commands=_commands(corpus, results, recipe, out),
        )
    rows = [*rows_of(results), *foreign_rows(foreign)]
    for part, name in PARTS.items():
        for sentence in verdicts(rows, part):
            console.print(f"· {name}, {sentence}", markup=False, soft_wrap=True)
    console.print(f"Report: {folder / PAGE}", soft_wrap=True)


def _commands(
    corpus: Path, results: Sequence[Result], recipe: str | None, out: Path | None
) -> list[str]:
    """Return the lines that make a study again, one for each choice of seeds."""
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for row in rows_of(results):
        by_seeds.setdefault(tuple(row.seeds), []).append(row.architecture)
    lines = []
    for seeds, architectures in by_seeds.items():
        words = ["nextvec", "study", str(corpus)]
        for name in architectures:
            words += ["--architecture", name]
        for number in seeds:
            words += ["--seed", str(number)]
        words += [] if recipe is None else ["--recipe", recipe]
        words += [] if out is None else ["--out", str(out)]
        lines.append(shlex.join(words))
    return lines
