"""The runs of a study, one after the other; what is finished is not run again."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.files import read_json
from nextvec.training.listener import Listener
from nextvec.training.run import run_name, train
from nextvec.training.run_folder import SEQUENCES, SHARED
from nextvec.training.study.results import (
    Result,
    find_result,
    refuse_mixed,
    result_of,
    write_result,
)


def run_grid(
    corpus: Corpus,
    configs: Sequence[TrainingConfig],
    folder: Path,
    runs: Path,
    *,
    corpus_folder: Path,
    listener: Listener,
    say: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Train what has left no result yet, and return all results.

    Killed at any point, it goes on from the last epoch that was finished. Several can
    work for one study at the same time, if none of their runs are the same.

    Args:
        corpus: of every run.
        configs: options of each run.
        folder: of the study; results go into it as soon as a run is finished.
        runs: folder of the runs themselves.
        corpus_folder: where the corpus lies, for the cards.
        listener: hears how each run gets on.
        say: told which run it is.

    Raises:
        TrainingError: a result cannot be read, one is of the same network with other
            options, or training failed.
    """
    names = [run_name(corpus, config) for config in configs]
    refuse_mixed(folder, corpus, dict(zip(names, configs, strict=True)))
    results: list[Result] = []
    for number, (name, config) in enumerate(zip(names, configs, strict=True), start=1):
        where = f"run {number} of {len(configs)}, {name}"
        found = find_result(folder, name)
        if found is not None:
            say(f"{where}: its result is there already")
            results.append(found)
            continue
        say(where)
        # of a run begun earlier nobody knows how long it took
        is_new = not (runs / name).exists()
        began = time.perf_counter()
        card = train(
            corpus,
            config,
            runs / name,
            corpus_folder=corpus_folder,
            shared=runs / SHARED,
            listener=listener,
        )
        took = round(time.perf_counter() - began, 1)
        result = result_of(
            card,
            wall_s=took if is_new else None,
            sequences=_sequences(runs / name),
        )
        write_result(folder, result)
        results.append(result)
    return results


def _sequences(run: Path) -> dict[str, Any] | None:
    """Read what a run left of its hits by sequence; one on documents left nothing."""
    path = run / SEQUENCES
    return read_json(path) if path.exists() else None
