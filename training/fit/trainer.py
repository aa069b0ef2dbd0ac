"""One pass over the training documents."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from training.config import TrainingConfig
from training.corpus.segments import batches, cut_segments
from training.errors import TrainingError
from training.fit.losses import mixed_loss
from training.fit.negatives import OwnNegatives
from training.listener import Listener
from training.models.model import NextVectorModel
from training.preparation.preparation import Preparation
from training.vectors import Int64


class EpochTrainer:
    """Trains a network for one epoch after the other.

    Every epoch draws from a seed of its own: no generator's state need survive a
    crash for a run to continue as it would have.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: NextVectorModel,
        optimizer: torch.optim.Optimizer,
        prepared: Preparation,
        config: TrainingConfig,
    ) -> None:
        """Move model and vectors to the device of ``fabric``."""
        self._fabric, self._bare = fabric, model
        self._model, self._optimizer = fabric.setup(model, optimizer)
        self._prepared, self._config = prepared, config
        self._weights = config.loss_weights
        self._vectors_ND = prepared.vectors.to(fabric.device)
        self._group_N = torch.from_numpy(prepared.groups).to(fabric.device)
        is_documents = prepared.corpus.kind == "documents"
        self._num_own = config.document_negatives if is_documents else 0

    def train(self, epoch: int, step: int, listener: Listener) -> tuple[float, int]:
        """Take all steps of an epoch.

        Args:
            epoch: its number, from 1.
            step: steps taken before it, in all epochs.
            listener: told after each step.

        Returns:
            The mean loss, and the steps taken by now.

        Raises:
            TrainingError: a loss, a gradient or a weight is not finite; says where.
        """
        seed = np.random.SeedSequence([self._config.seed, epoch])
        torch.manual_seed(int(seed.generate_state(1)[0]))
        rng = np.random.default_rng([self._config.seed, epoch])
        self._model.train()
        losses = []
        for rows_BT, done, total in self._batches(rng):
            losses.append(self._step(rows_BT, epoch, step, rng))
            step += 1
            listener.progress(done, total)
        if not all(bool(torch.isfinite(p).all()) for p in self._bare.parameters()):
            msg = f"a weight is not finite after epoch {epoch}; try a smaller --lr"
            raise TrainingError(msg)
        return float(np.mean(losses)), step

    def _batches(self, rng: np.random.Generator) -> Iterator[tuple[Int64, int, int]]:
        """Yield the batches of an epoch, and how far it has come with each."""
        train, size = self._prepared.split.train, self._config.batch_size
        segments = cut_segments(self._prepared.corpus, train, rng=rng)
        total = math.ceil(len(segments) / size)
        for done, rows in enumerate(batches(segments, size, rng), start=1):
            yield rows, done, total

    def _step(
        self, rows_BT: Int64, epoch: int, step: int, rng: np.random.Generator
    ) -> float:
        fabric, config = self._fabric, self._config
        loss = self._loss(rows_BT, rng)
        _check_finite("loss", loss, epoch, step)
        self._optimizer.zero_grad()
        fabric.backward(loss)
        norm = fabric.clip_gradients(
            self._model,
            self._optimizer,
            max_norm=config.grad_clip,
            error_if_nonfinite=False,
        )
        if norm is not None:
            _check_finite("gradient", norm, epoch, step)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(config, epoch, step)
        self._optimizer.step()
        return float(loss.item())

    def _bank(self, rng: np.random.Generator) -> Int64:
        """Rows of the negatives of a step: all there are, or as many by lot."""
        rows, size = self._prepared.train_rows, self._config.bank_size
        return rows if size >= len(rows) else rows[rng.integers(len(rows), size=size)]

    def _loss(self, rows_BT: Int64, rng: np.random.Generator) -> Tensor:
        """Loss of a batch of stretches, at every position that has a next vector."""
        prepared, vectors_ND, group_N = self._prepared, self._vectors_ND, self._group_N
        rows = torch.from_numpy(rows_BT).to(vectors_ND.device)
        inside_BT = rows[:, 1:] >= 0
        prediction_BTD = self._model(vectors_ND[rows[:, :-1].clamp(min=0)])
        target_P = rows[:, 1:][inside_BT]
        negative_N = torch.from_numpy(self._bank(rng)).to(vectors_ND.device)
        own_PE = None
        if self._num_own:
            own = OwnNegatives.draw(
                prepared.corpus, rows_BT[:, :-1], self._num_own, rng
            )
            target_BT = rows[:, 1:].clamp(min=0)
            own_PE = own.cosines(prediction_BTD, vectors_ND, group_N, target_BT)
            own_PE = own_PE[inside_BT]
        return mixed_loss(
            prediction_BTD[inside_BT],
            vectors_ND[target_P],
            group_N[target_P],
            vectors_ND[negative_N],
            group_N[negative_N],
            self._weights,
            own_PE,
        )


def learning_rate(config: TrainingConfig, epoch: int, step: int) -> float:
    """Return the rate of a step: warm-up by steps, half a cosine by epochs.

    Args:
        config: the options of the run.
        epoch: its epoch, 1 to ``max_epochs``.
        step: steps taken before it, in all epochs.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    done = (epoch - 1) / max(1, config.max_epochs - 1)
    left = config.lr_final_share
    return config.lr * warm * (left + (1 - left) * (1 + math.cos(math.pi * done)) / 2)


def _check_finite(what: str, value: Tensor, epoch: int, step: int) -> None:
    if not torch.isfinite(value):
        msg = (
            f"the {what} of epoch {epoch}, step {step + 1} is {value.item()}; "
            "try a smaller --lr or --grad-clip"
        )
        raise TrainingError(msg)
