"""``study``: every architecture and seed on one corpus, and one report about them."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from filelock import FileLock

from nextvec.training.commands.console import console, handle_errors, say_next
from nextvec.training.commands.corpus_folder import CORPORA
from nextvec.training.commands.listener import ConsoleListener
from nextvec.training.commands.names import corpus_folder
from nextvec.training.commands.options import RUNS, Recipe, RunsFolder
from nextvec.training.corpus.store import load_corpus
from nextvec.training.models.config import Architecture
from nextvec.training.recipe import resolve
from nextvec.training.study.foreign import foreign_rows, read_foreign
from nextvec.training.study.grid import run_grid
from nextvec.training.study.pooled_report import split_folder, write_pooled
from nextvec.training.study.report import PAGE, write_study
from nextvec.training.study.results import Result, read_results
from nextvec.training.study.splits import CorpusSplit, splits_of
from nextvec.training.study.summary import PARTS, Row, rows_of, verdicts

STUDIES = Path("artifacts/studies")
"""Folder of the studies, unless an option says another."""


# Learned slots brought nothing on any corpus: asked for by name they are compared.
_COMPARED: Final = [name for name in get_args(Architecture) if name != "slots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What was asked for, the same for every split."""

    architectures: Sequence[str]
    seeds: Sequence[int]
    recipe: str | None
    runs: Path


@handle_errors()
def study(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            help="Folder or name of a corpus; of item sequences several, with vectors "
            "made for different splits, whose windows are pooled."
        ),
    ],
    *,
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            help="What to compare, named several times: baseline, memory, "
            "hierarchical, linear, transformer or slots (default: all but slots)."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Seed; named several times (default: 0)."),
    ] = None,
    split_seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Seed of a split, for vectors that were made for none; named several "
            "times, the windows of item sequences are pooled (default: the recipe's).",
        ),
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
    corpus = [corpus_folder(path, CORPORA) for path in corpus]
    splits = splits_of({path: load_corpus(path) for path in corpus}, split_seed)
    plan = _Plan(
        architectures=list(dict.fromkeys(architecture or _COMPARED)),
        seeds=sorted(set(seed or [0])),
        recipe=recipe,
        runs=runs,
    )
    folder = out or STUDIES / splits[0].corpus.card.name
    told = _words(corpus, split_seed, recipe, out)
    if len(splits) == 1:
        results = _compare(plan, splits[0], folder, told)
        foreign = foreign_rows(read_foreign(folder, results[0]))
        _tell([*rows_of(results), *foreign], folder)
        say_next(f"nextvec compare --runs {shlex.quote(str(runs))}")
        return
    found = {}
    for one in splits:
        number = int(one.seed or 0)
        where = split_folder(folder, number)
        own = _words([one.folder], split_seed and [number], recipe, where)
        found[number] = _compare(plan, one, where, own)
    everything = [result for results in found.values() for result in results]
    _tell(write_pooled(folder, found, commands=_commands(told, everything)), folder)
    say_next(f"nextvec compare --runs {shlex.quote(str(runs))}")


def _compare(
    plan: _Plan, split: CorpusSplit, folder: Path, told: Sequence[str]
) -> list[Result]:
    """Run all networks on one split, and write the report of it."""
    seed = {} if split.seed is None else {"split_seed": split.seed}
    configs = [
        resolve(
            plan.recipe or split.corpus.card.recipe,
            {"architecture": name, "seed": number, **seed},
            kind=split.corpus.kind,
        )
        for number in plan.seeds
        for name in plan.architectures
    ]
    with ConsoleListener() as listener:
        made = run_grid(
            split.corpus,
            configs,
            folder,
            plan.runs,
            corpus_folder=split.folder,
            listener=listener,
            say=lambda what: console.print(f"· {what}", soft_wrap=True),
        )
    # another call may work for this study: the last one to write must know all results
    with FileLock(folder / ".lock"):
        results = read_results(folder, made[0])
        foreign = read_foreign(folder, made[0])
        write_study(folder, results, foreign, commands=_commands(told, results))
    return list(results)


def _tell(rows: Sequence[Row], folder: Path) -> None:
    """Print what is shown, and where."""
    for part, name in PARTS.items() if rows else ():
        for sentence in verdicts(rows, part):
            console.print(f"· {name}, {sentence}", markup=False, soft_wrap=True)
    console.print(f"Report: {folder / PAGE}", soft_wrap=True)


def _words(
    corpora: Sequence[Path],
    split_seeds: Sequence[int] | None,
    recipe: str | None,
    out: Path | None,
) -> list[str]:
    """Return a command that names no networks and seeds."""
    words = ["nextvec", "study", *(str(path) for path in corpora)]
    for number in split_seeds or ():
        words += ["--split-seed", str(number)]
    words += [] if recipe is None else ["--recipe", recipe]
    return words + ([] if out is None else ["--out", str(out)])


def _commands(told: Sequence[str], results: Sequence[Result]) -> list[str]:
    """Return the lines that make a study again, one for each choice of seeds."""
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for row in rows_of(results):
        seeds = tuple(dict.fromkeys(row.seeds))
        by_seeds.setdefault(seeds, []).append(row.architecture)
    lines = []
    for seeds, architectures in by_seeds.items():
        words = list(told)
        for name in architectures:
            words += ["--architecture", name]
        for number in seeds:
            words += ["--seed", str(number)]
        lines.append(shlex.join(words))
    return lines
