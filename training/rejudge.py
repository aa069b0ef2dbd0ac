"""An existing checkpoint, judged again without training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextvec.training.checkpoint import load_checkpoint
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.errors import CheckpointError, VectorError
from nextvec.training.evaluation.evaluation import Evaluation
from nextvec.training.evaluation.searched import judge_in, space_of
from nextvec.training.listener import Listener, NullListener
from nextvec.training.preparation.kept_baselines import best_baselines
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.preparation.trained_keys import read_trained_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A fresh evaluation, and what the checkpoint's card says of itself."""

    evaluation: Evaluation
    card: dict[str, Any]
    corpus: str
    """Name of the corpus it was judged on."""

    is_own_corpus: bool
    """Whether that is the corpus it was trained on."""

    knows_trained: bool
    """Whether windows of vectors it was trained on could be left out."""


def judge_checkpoint(
    folder: Path, corpus_folder: Path | None, *, listener: Listener | None = None
) -> Judged:
    """Judge a checkpoint on the validation documents of a corpus.

    The split is made with the options in its card, so on its own corpus it is the one
    it was trained with. The baselines get the checkpoint's own transform.

    Args:
        folder: of a run, a bundle, or just weights and card.
        corpus_folder: the corpus; None takes the one its card names.
        listener: hears how it gets on.

    Raises:
        CheckpointError: unreadable, its card names no corpus and none was given, or it
            is one of items and the corpus another than its own.
        CorpusError: the corpus is missing or too small.
        VectorError: its vectors have another length than the model's.
    """
    checkpoint = load_checkpoint(folder)
    card = checkpoint.card
    where = corpus_folder or card["corpus"]["folder"]
    if where is None:
        msg = f"{folder}: its card names no corpus folder: give one with --corpus"
        raise CheckpointError(msg)
    corpus = load_corpus(Path(where))
    if corpus.dim != checkpoint.model.config.dim:
        msg = (
            f"{where}: its vectors have length {corpus.dim}, the model takes "
            f"{checkpoint.model.config.dim}"
        )
        raise VectorError(msg)
    is_own = corpus.fingerprint == card["corpus"]["fingerprint"]
    if checkpoint.model.items is not None and not is_own:
        msg = (
            f"{where}: a network of items knows those of its own corpus alone: "
            f"expected {card['corpus']['name']} "
            f"({card['corpus']['fingerprint'][:12]}), got {corpus.card.name} "
            f"({corpus.fingerprint[:12]})"
        )
        raise CheckpointError(msg)
    keys = None if is_own else read_trained_keys(folder)
    config = TrainingConfig.from_dict(card["options"], source=str(folder))
    # whatever is found is for this one answer
    cache, listener = SharedCache(), listener or NullListener()
    prepared = prepare(
        corpus,
        config,
        cache,
        listener,
        transform=checkpoint.transform,
        trained_keys=keys,
    )
    baselines = best_baselines(prepared, cache, listener)
    space = space_of(checkpoint.model, prepared.space)
    judge = judge_in(prepared.judge, space, prepared.space)
    prediction = space.predict(checkpoint.model, prepared.suite.windows)
    return Judged(
        evaluation=judge.evaluate(prediction, baselines.paired()),
        card=card,
        corpus=corpus.card.name,
        is_own_corpus=is_own,
        knows_trained=is_own or (keys is not None and corpus.kind == "documents"),
    )
