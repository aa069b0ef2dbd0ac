"""``study``: every architecture and seed on one corpus, and one report about them."""

import shlex
from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from nextvec.training.commands.console import handle_errors, say_next
from nextvec.training.commands.folders import CORPORA, RUNS, STUDIES
from nextvec.training.commands.options import Recipe, RunsFolder
from nextvec.training.models.options import Architecture

# Learned slots brought nothing on any corpus: asked for by name they are compared.
_COMPARED: Final = [name for name in get_args(Architecture) if name != "slots"]


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
    from nextvec.training.commands.names import corpus_folder
    from nextvec.training.commands.study_run import (
        Plan,
        command_lines,
        command_words,
        compare,
        tell,
    )
    from nextvec.training.corpus.store import load_corpus
    from nextvec.training.study.foreign import foreign_rows, read_foreign
    from nextvec.training.study.pooled_report import split_folder, write_pooled
    from nextvec.training.study.splits import splits_of
    from nextvec.training.study.summary import rows_of

    corpus = [corpus_folder(path, CORPORA) for path in corpus]
    splits = splits_of({path: load_corpus(path) for path in corpus}, split_seed)
    plan = Plan(
        architectures=list(dict.fromkeys(architecture or _COMPARED)),
        seeds=sorted(set(seed or [0])),
        recipe=recipe,
        runs=runs,
    )
    folder = out or STUDIES / splits[0].corpus.card.name
    told = command_words(corpus, split_seed, recipe, out)
    if len(splits) == 1:
        results = compare(plan, splits[0], folder, told)
        foreign = foreign_rows(read_foreign(folder, results[0]))
        tell([*rows_of(results), *foreign], folder)
        say_next(f"nextvec compare --runs {shlex.quote(str(runs))}")
        return
    found = {}
    for one in splits:
        number = int(one.seed or 0)
        where = split_folder(folder, number)
        own = command_words([one.folder], split_seed and [number], recipe, where)
        found[number] = compare(plan, one, where, own)
    everything = [result for results in found.values() for result in results]
    tell(write_pooled(folder, found, commands=command_lines(told, everything)), folder)
    say_next(f"nextvec compare --runs {shlex.quote(str(runs))}")
