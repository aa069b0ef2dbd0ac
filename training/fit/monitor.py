"""What is measured after every epoch."""

from dataclasses import dataclass

import numpy as np
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.windows import Windows, cut_windows, min_context
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.evaluation import target_cosines
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import documents_pool, index_pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.searched import ranker_in, space_of
from nextvec.training.fit.losses import mixed_loss
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.prediction import Prediction
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.steps import Steps, ignore_steps

_MAX_TRAIN_WINDOWS = 500
# Enough for a curve: ±4 points at Hit@5 of one half, in half a second.

_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of one state of a model."""

    score: float
    train_loss: float
    validation_loss: float
    validation_cosine: float
    train_cosine: float
    train_score: float


def selection_score(model: NextVectorModel, prepared: Preparation) -> float:
    """Return validation Hit@K in the selection pool, as early stopping computes it."""
    space = space_of(model, prepared.space)
    prediction = space.predict(model, prepared.suite.windows)
    ranker = prepared.judge.rankers[prepared.selection_pool]
    ranker = ranker_in(ranker, space, prepared.space)
    return hit_at_k(ranker.ranks(prediction), prepared.suite.k)


class Monitor:
    """Measures a model on the same windows every time."""

    def __init__(self, prepared: Preparation, config: TrainingConfig) -> None:
        """Choose the windows: all of validation, and some of training."""
        self._prepared, self._config = prepared, config
        rng = np.random.default_rng(config.seed)
        self._bank = rng.choice(prepared.train_rows, config.bank_size)
        self._validation = prepared.suite.windows
        self._ranker = prepared.judge.rankers[prepared.selection_pool]
        self._train, self._train_ranker = self._train_windows(rng)

    def measure(
        self, model: NextVectorModel, *, epoch: int, progress: Steps = ignore_steps
    ) -> Measured:
        """Measure a model in evaluation mode, after the ``epoch`` of that number.

        Args:
            model: as it is now.
            epoch: for the message.
            progress: told after each step.

        Raises:
            TrainingError: the score is not finite, because the predictions are not.
        """
        given = self._prepared.space
        space = space_of(model, given)
        windows, train_windows = self._validation, self._train
        ranker = ranker_in(self._ranker, space, given)
        train_ranker = ranker_in(self._train_ranker, space, given)
        prediction = space.predict(model, windows)
        progress(1, _STEPS)
        if not prediction.is_finite:
            msg = (
                f"after epoch {epoch} the model predicts NaN or infinity on "
                "validation; try a smaller --lr or --grad-clip"
            )
            raise TrainingError(msg)
        trained, k = space.predict(model, train_windows), self._prepared.suite.k
        progress(2, _STEPS)
        cosines = [
            target_cosines(p.vectors, w, space.vectors)
            for p, w in ((prediction, windows), (trained, train_windows))
        ]
        score = hit_at_k(ranker.ranks(prediction), k)
        progress(3, _STEPS)
        measured = Measured(
            score=score,
            train_loss=self._loss(trained, train_windows, train_ranker),
            validation_loss=self._loss(prediction, windows, ranker),
            validation_cosine=float(cosines[0].nanmean()),
            train_cosine=float(cosines[1].nanmean()),
            train_score=hit_at_k(train_ranker.ranks(trained), k),
        )
        progress(_STEPS, _STEPS)
        return measured

    def _loss(self, prediction: Prediction, windows: Windows, ranker: Ranker) -> float:
        """Return the loss of a curve: of items the mean of ``-log P``.

        Of documents it is the contrast with a bank, whatever they are trained by: a
        smooth rank among candidates of training has no like on other windows.
        """
        if self._prepared.corpus.kind == "items":
            return float(np.nanmean(ranker.surprise(prediction)))
        vectors_ND = self._prepared.vectors
        group_N = torch.from_numpy(self._prepared.groups)
        has_target_Q = windows.target_rows >= 0
        target_Q = torch.from_numpy(windows.target_rows[has_target_Q])
        bank_N = torch.from_numpy(self._bank)
        loss = mixed_loss(
            prediction.vectors[torch.from_numpy(has_target_Q)],
            vectors_ND[target_Q],
            group_N[target_Q],
            vectors_ND[bank_N],
            group_N[bank_N],
            self._config.loss_weights,
        )
        return float(loss)

    def _train_windows(self, rng: np.random.Generator) -> tuple[Windows, Ranker]:
        """Windows of as many training documents as there are for validation.

        Their passages are the candidates, so that the two Hit@K can be compared; for
        items it is the whole catalogue, as in validation.
        """
        prepared = self._prepared
        train = prepared.split.train
        is_long = prepared.corpus.lengths[train] > min_context(prepared.corpus.kind)
        long, short = rng.permutation(train[is_long]), rng.permutation(train[~is_long])
        validation = prepared.split.validation
        num_long = len(np.unique(self._validation.documents))
        chosen = np.concatenate([long[:num_long], short[: len(validation) - num_long]])
        windows = cut_windows(prepared.corpus, chosen, stride=self._config.stride)
        if len(windows) > _MAX_TRAIN_WINDOWS:
            some = rng.choice(len(windows), _MAX_TRAIN_WINDOWS, replace=False)
            windows = windows.take(np.sort(some))
        corpus = prepared.corpus
        is_items = corpus.kind == "items"
        pool = index_pool(corpus) if is_items else documents_pool(corpus, chosen)
        ranker = Ranker(
            prepared.vectors,
            prepared.groups,
            windows,
            pool,
            exclude_context=prepared.suite.excludes_context,
            score=prepared.score,
        )
        return windows, ranker
