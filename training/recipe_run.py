"""A run from what people name: the folder of a corpus, and a recipe."""

from pathlib import Path
from typing import Any

from nextvec.training.corpus.store import load_corpus
from nextvec.training.listener import Listener, NullListener
from nextvec.training.recipe import resolve
from nextvec.training.run import run_name, train
from nextvec.training.run_folder import SHARED, is_finished


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
