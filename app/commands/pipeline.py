"""From nothing to a live bundle; whatever is made already is found again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from nextvec.app.bundle.manifest import Manifest
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.app.settings import Settings
from nextvec.training.commands.console import console, progress_bars
from nextvec.training.commands.corpus_folder import is_made, print_summary
from nextvec.training.commands.listener import ConsoleListener
from nextvec.training.commands.run_summary import print_run
from nextvec.training.corpus.samples.making import make_sample_corpus, origin_of_sample
from nextvec.training.corpus.samples.sample_names import DEFAULT_SAMPLE
from nextvec.training.corpus.store import load_corpus
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.errors import ProjectError
from nextvec.training.recipe import resolve
from nextvec.training.recipe_run import train_by_recipe
from nextvec.training.runs import best_run, comparison_key, finished_runs

_SHOWN_CONTEXT = 5
# Ids in the example request: a line that still fits a terminal.


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What is live after the pipeline."""

    version: str
    """The bundle."""

    run: Path
    """Folder of the run that is held to be the best."""

    card: dict[str, Any]
    """The card of that run."""

    example: list[str]
    """Ids of some passages in order, for an example request."""


def make_live(
    root: Path,
    bundles: Path,
    *,
    corpus: Path | None = None,
    sample_name: str = DEFAULT_SAMPLE,
    recipe: str | None = None,
    architectures: Sequence[str] = ("memory",),
) -> Live:
    """Make a corpus, train, bundle the best run, and promote it.

    Args:
        root: folder of what is made on the way: corpora, runs, downloads.
        bundles: folder of the bundles.
        corpus: folder of a corpus of your own; None takes a sample.
        sample_name: which sample.
        recipe: name of a recipe, or path of a TOML file; None takes that of the
            corpus or of its kind.
        architectures: what to train; the best by validation Hit@K is served.

    Raises:
        ProjectError: a stage failed; what was finished before stays.
    """
    wanted: list[dict[str, Any]] = [{"architecture": name} for name in architectures]
    for told in wanted:
        # refused now, and not after a corpus was made
        resolve(recipe, told)
    folder = corpus or root / "corpora" / sample_name
    console.rule("1 of 4: corpus")
    if corpus is None:
        _make_sample(sample_name, folder, root / "downloads")
    else:
        console.print(f"· {folder}", soft_wrap=True)
    console.rule("2 of 4: training")
    cards = [_train(folder, recipe, told, root / "runs") for told in wanted]
    console.rule("3 of 4: the best run")
    same = [
        (path, card)
        for path, card in finished_runs(root / "runs", skipped=_warn)
        if comparison_key(card) == comparison_key(cards[0])
    ]
    run, card = best_run(same, prefer=[card["name"] for card in cards])
    console.print(
        f"· {run.name}: the highest validation Hit@{card['k']} "
        f"({card['best_score']:.2%}) of {len(same)} finished run(s) on this corpus and "
        "split",
        soft_wrap=True,
    )
    console.rule("4 of 4: bundle")
    version = _bundle(run, folder, Registry(bundles))
    return Live(version=version, run=run, card=card, example=_example(folder))


def _make_sample(name: str, folder: Path, downloads: Path) -> None:
    if is_made(folder, partial(origin_of_sample, name), force=False):
        return
    with progress_bars() as progress:
        corpus = make_sample_corpus(
            name, folder, downloads=downloads, progress=progress
        )
    print_summary(corpus, folder)


def _train(
    corpus: Path, recipe: str | None, told: dict[str, Any], runs: Path
) -> dict[str, Any]:
    with ConsoleListener() as listener:
        card = train_by_recipe(corpus, recipe, told, runs=runs, listener=listener)
    print_run(card)
    return card


def _bundle(run: Path, corpus: Path, registry: Registry) -> str:
    """Bundle a run, promote it, and return what is live.

    Where another bundle of the same corpus is live, and this one was there already, it
    was rolled back from, or the other was promoted: that choice stands. Where this one
    is there because its promotion was cut off, nobody has chosen: it goes live.
    """
    with progress_bars() as progress:
        built = build_bundle(
            run,
            registry.folder,
            corpus=corpus,
            begin=registry.intend,
            say=lambda what: console.print(f"· {what}", soft_wrap=True),
            progress=progress,
        )
    version, pointer = built.manifest.version, registry.pointer()
    live = None if pointer is None else _manifest(registry, pointer.version)
    is_of_corpus = (
        live is not None
        and live.corpus_fingerprint == built.manifest.corpus_fingerprint
    )
    if (
        pointer is None
        or pointer.version == version
        or registry.intended() == version
        or not is_of_corpus
    ):
        registry.make_live(built)
    else:
        console.print(
            f"· {pointer.version} was made live and stays so; for the best run: "
            f"nextvec bundle promote {version} --bundles {registry.folder}",
            style="yellow",
            soft_wrap=True,
        )
        return pointer.version
    console.print(f"· {version} is live", soft_wrap=True)
    return version


def _manifest(registry: Registry, version: str) -> Manifest | None:
    """Read what a bundle is made of; None if it is gone or cannot be read."""
    try:
        return registry.manifest(version)
    except ProjectError:
        return None


def _warn(what: str) -> None:
    console.print(f"Left out: {what}", style="yellow", markup=False, soft_wrap=True)


def _example(folder: Path) -> list[str]:
    """Ids of some passages in order, from the longest document."""
    corpus = load_corpus(folder)
    longest = np.argmax(corpus.lengths, keepdims=True)
    windows = cut_windows(corpus, longest)
    middle = len(windows) // 2
    rows = windows.context_rows[middle, : windows.lengths[middle]][-_SHOWN_CONTEXT:]
    return [corpus.ids[int(row)] for row in rows]


def curl_line(live: Live, settings: Settings) -> str:
    """Return a request that works when it is pasted into a shell."""
    body = orjson.dumps({"ids": live.example, "k": 3, "return_texts": True}).decode()
    needs_key = settings.keys is not None or settings.keys_file.exists()
    key = '-H "Authorization: Bearer $NEXTVEC_API_KEY" ' if needs_key else ""
    return (
        f"curl -s {settings.url}/predict {key}"
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
