"""What ``study`` does on each split, says of it, and writes down to do it again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from nextvec.training.commands.console import console
from nextvec.training.commands.listener import ConsoleListener
from nextvec.training.recipe import resolve
from nextvec.training.study.foreign import read_foreign
from nextvec.training.study.grid import run_grid
from nextvec.training.study.report import PAGE, write_study
from nextvec.training.study.results import Result, read_results
from nextvec.training.study.splits import CorpusSplit
from nextvec.training.study.summary import PARTS, Row, rows_of, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for, the same for every split."""

    architectures: Sequence[str]
    seeds: Sequence[int]
    recipe: str | None
    runs: Path


def compare(
    plan: Plan, split: CorpusSplit, folder: Path, told: Sequence[str]
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
        write_study(folder, results, foreign, commands=command_lines(told, results))
    return list(results)


def tell(rows: Sequence[Row], folder: Path) -> None:
    """Print what is shown, and where."""
    for part, name in PARTS.items() if rows else ():
        for sentence in verdicts(rows, part):
            console.print(f"· {name}, {sentence}", markup=False, soft_wrap=True)
    console.print(f"Report: {folder / PAGE}", soft_wrap=True)


def command_words(
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


def command_lines(told: Sequence[str], results: Sequence[Result]) -> list[str]:
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
