"""A run from what people name: the folder of a corpus, and a recipe."""

from pathlib import Path
from typing import Any

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.corpus.store import load_corpus
from nextvec.training.errors import TrainingError
from nextvec.training.listener import Listener, NullListener
from nextvec.training.recipe import resolve
from nextvec.training.run import run_name, train
from nextvec.training.run_folder import SHARED, is_finished


def closed_form_run(
    run: Path,
    *,
    runs: Path,
    corpus_folder: Path | None = None,
    listener: Listener | None = None,
) -> Path:
    """Make the run that holds the closed form which another one started from.

    Its options are those of the other run with no epoch, so it finds everything that
    was measured, and its card has the figures of what it holds.

    Args:
        run: folder of a finished run on documents.
        runs: folder of the runs.
        corpus_folder: where the corpus lies; None takes what the run's card names.
        listener: hears how it gets on.

    Returns:
        The folder of the run.

    Raises:
        TrainingError: a run on items. What it starts from is popularity, and the best
            baselines are tables of ids, which no bundle holds.
        CheckpointError: the run's card cannot be read.
        CorpusError: the corpus is missing or unreadable.
    """
    card = read_checkpoint_card(run)
    if card["corpus"]["kind"] == "items":
        best = card["evaluation"]["pools"][-1]["baseline"]
        msg = (
            f"{run}: expected a run on documents: the best baseline here, {best}, is a "
            "table of item ids, and a bundle holds a model of vectors"
        )
        raise TrainingError(msg)
    found = train_by_recipe(
        corpus_folder or Path(card["corpus"]["folder"]),
        None,
        card["options"] | {"max_epochs": 0},
        runs=runs,
        listener=listener,
    )
    return runs / str(found["name"])


def train_by_recipe(
    corpus_folder: Path,
    recipe: str | None,
    told: dict[str, Any],
    *,
    runs: Path,
    name: str | None = None,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Train, go on with what was interrupted, or find the run finished.

    Args:
        corpus_folder: where the corpus lies.
        recipe: as in `resolve`.
        told: options by name, which win over the recipe.
        runs: folder of the runs, which share what they have in common.
        name: of the run; None takes that of corpus, architecture and options.
        listener: hears how it gets on.

    Returns:
        The card of the run.

    Raises:
        TrainingError: an unknown recipe, option or value, or as in `train`.
        CorpusError: the corpus is missing, unreadable, or too small to be split.
    """
    # what was told is refused before a corpus is read
    resolve(recipe, told)
    corpus = load_corpus(corpus_folder)
    config = resolve(recipe or corpus.card.recipe, told, kind=corpus.kind)
    folder = runs / (name or run_name(corpus, config))
    listener = listener or NullListener()
    if is_finished(folder):
        listener.stage(f"run {folder.name} is finished already")
    return train(
        corpus,
        config,
        folder,
        corpus_folder=corpus_folder,
        shared=runs / SHARED,
        listener=listener,
    )
