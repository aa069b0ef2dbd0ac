"""One pass over the training documents."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.segments import epoch_batches
from nextvec.training.errors import TrainingError
from nextvec.training.fit.document_loss import DocumentLoss
from nextvec.training.fit.item_loss import ItemLoss
from nextvec.training.fit.rank_loss import RankLoss
from nextvec.training.listener import Listener
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Int64

Batches = Callable[[np.random.Generator], Iterator[tuple[Int64, int, int]]]
"""Draws the batches of an epoch, and says how far it has come with each."""

BatchLoss = Callable[[NextVectorModel, Int64, np.random.Generator], Tensor]
"""Model and batch to the mean loss, a scalar; where to draw from."""


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
        told = replace(prepared, config=config)
        self._loss, self._batches = _task_of(model, told, fabric.device)

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
        for batch, done, total in self._batches(rng):
            losses.append(self._step(batch, epoch, step, rng))
            step += 1
            listener.progress(done, total)
        if not all(bool(torch.isfinite(p).all()) for p in self._bare.parameters()):
            msg = f"a weight is not finite after epoch {epoch}; try a smaller --lr"
            raise TrainingError(msg)
        return float(np.mean(losses)), step

    def _step(
        self, batch: Int64, epoch: int, step: int, rng: np.random.Generator
    ) -> float:
        fabric, config = self._fabric, self._config
        loss = self._loss(self._bare, batch, rng)
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


def _task_of(
    model: NextVectorModel, prepared: Preparation, device: torch.device
) -> tuple[BatchLoss, Batches]:
    """Return what a network is trained by, and on what."""
    if model.config.weighs_places:
        loss = RankLoss.of(prepared, model.config.base, device)
        return loss, loss.batches

    def stretches(rng: np.random.Generator) -> Iterator[tuple[Int64, int, int]]:
        learned, size = prepared.learned, prepared.config.batch_size
        return epoch_batches(prepared.corpus, learned, size, rng)

    if model.items is not None:
        return ItemLoss.of(prepared), stretches
    return DocumentLoss(prepared, prepared.vectors.to(device)), stretches


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
