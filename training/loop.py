"""The training loop: one epoch after the other, the best weights kept."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from training.checkpoint import WEIGHTS, predict, save_weights
from training.config import Device, TrainingConfig
from training.corpus.segments import batches, cut_segments
from training.early_stopping import EarlyStopping
from training.errors import TrainingError
from training.evaluation.evaluation import SELECTION_K
from training.evaluation.metrics import hit_at_k
from training.listener import Epoch, Listener
from training.losses import LossWeights, mixed_loss
from training.models.model import NextVectorModel
from training.monitor import Monitor
from training.negatives import OwnNegatives
from training.preparation import Preparation
from training.state import TrainingState, load_state, save_state
from training.vectors import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the loop leaves behind."""

    model: NextVectorModel
    """With the best weights restored, in evaluation mode, on the CPU."""

    history: tuple[Epoch, ...]
    best_epoch: int
    best_score: float
    """Validation Hit@5 in the selection pool at that epoch, a fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bank:
    """Everything the loss draws on, on the training device."""

    vectors: Tensor
    """The catalogue in the searched space, shape ``(N, D)``."""

    groups: Tensor
    """Duplicate group of each row, shape ``(N,)``."""

    weights: LossWeights
    size: int
    """Negatives from all training documents, for each step."""

    num_own: int
    """Negatives from its own document, for each stretch."""


def fit(
    model: NextVectorModel,
    prepared: Preparation,
    config: TrainingConfig,
    folder: Path,
    listener: Listener,
) -> Trained:
    """Train until validation Hit@5 has not improved for ``patience`` epochs.

    Each new best is written to ``folder`` at once; after each epoch so is everything
    needed to go on from there. Every epoch draws from a seed of its own, so a run that
    was cut off continues exactly as it would have.

    Args:
        model: untrained; it is trained in place.
        prepared: corpus, split and searched space.
        config: the options of the run.
        folder: the run's folder.
        listener: hears of every epoch.

    Raises:
        TrainingError: a loss or a score is not finite; says where.
    """
    fabric = Fabric(accelerator=accelerator(config.device), devices=1)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer)
    monitor = Monitor(prepared, config)
    bank = _Bank(
        vectors=prepared.vectors_ND.to(fabric.device),
        groups=torch.from_numpy(prepared.group_N).to(fabric.device),
        weights=monitor.loss_weights,
        size=config.bank_size,
        num_own=config.document_negatives if prepared.corpus.kind == "documents" else 0,
    )
    stopping = EarlyStopping(config.patience, config.min_delta)
    state = load_state(folder, model, optimizer) or TrainingState()
    for epoch in state.history:
        stopping.update(epoch.score)
        listener.epoch(epoch)
    while len(state.history) <= config.max_epochs and not (
        state.history and stopping.should_stop
    ):
        number, started = len(state.history), time.perf_counter()
        train_loss = None
        if number > 0:
            _seed(config.seed, number)
            wrapped.train()
            losses = []
            rng = np.random.default_rng([config.seed, number])
            for rows_BT, progress in _steps(prepared, config, rng):
                loss = _loss(wrapped, rows_BT, bank, prepared, rng)
                _check_finite("loss", loss, number, state.step + 1)
                wrapped_optimizer.zero_grad()
                fabric.backward(loss)
                norm = fabric.clip_gradients(
                    wrapped,
                    wrapped_optimizer,
                    max_norm=config.grad_clip,
                    error_if_nonfinite=False,
                )
                if norm is not None:
                    _check_finite("gradient", norm, number, state.step + 1)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, number, state.step)
                wrapped_optimizer.step()
                state.step += 1
                losses.append(loss.item())
                listener.progress(*progress)
            train_loss = float(np.mean(losses))
            if not _all_finite(model):
                msg = f"a weight is not finite after epoch {number}; try a smaller --lr"
                raise TrainingError(msg)
        measured = monitor.measure(model.eval(), epoch=number)
        if stopping.update(measured.score):
            state.best = {k: v.detach().cpu().clone() for k, v in _state(model).items()}
            save_weights(folder / WEIGHTS, state.best, prepared.transform)
        epoch = Epoch(
            number=number,
            score=measured.score,
            train_loss=train_loss,
            validation_loss=measured.validation_loss,
            train_cosine=measured.train_cosine,
            validation_cosine=measured.validation_cosine,
            train_hit5=measured.train_hit5,
            seconds=time.perf_counter() - started,
            is_best=stopping.best_epoch == number,
        )
        state.history.append(epoch)
        save_state(folder, state, model, optimizer)
        listener.epoch(epoch)
    # an epoch that a crash cut off after its weights were written may not have been
    # a best one when it was trained again
    save_weights(folder / WEIGHTS, state.best, prepared.transform)
    model.cpu().load_state_dict(state.best)
    return Trained(
        model=model.eval(),
        history=tuple(state.history),
        best_epoch=stopping.best_epoch,
        best_score=stopping.best_score,
    )


def accelerator(device: Device) -> str:
    """Return the kind of device to train on, as Fabric names it.

    Raises:
        TrainingError: a GPU was asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        msg = "--device cuda: torch finds no GPU here; try --device cpu"
        raise TrainingError(msg)
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def selection_score(model: NextVectorModel, prepared: Preparation) -> float:
    """Return validation Hit@5 in the selection pool, as early stopping computes it."""
    context_QTD, length_Q = prepared.context(prepared.suite.windows)
    prediction_QD = predict(model, context_QTD, length_Q).cpu()
    ranker = prepared.judge.rankers[prepared.selection_pool]
    return hit_at_k(ranker.ranks(prediction_QD), SELECTION_K)


def _seed(seed: int, epoch: int) -> None:
    """Seed dropout and the draws of an epoch: no generator's state need be kept."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def _steps(
    prepared: Preparation, config: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[Int64, tuple[int, int]]]:
    """Yield the batches of an epoch, and how far it has come."""
    segments = cut_segments(prepared.corpus, prepared.split.train, rng=rng)
    total = math.ceil(len(segments) / config.batch_size)
    for done, rows in enumerate(batches(segments, config.batch_size, rng), start=1):
        yield rows, (done, total)


def _loss(
    model: torch.nn.Module,
    rows_BT: Int64,
    bank: _Bank,
    prepared: Preparation,
    rng: np.random.Generator,
) -> Tensor:
    """Loss of a batch of stretches, at every position that has a next vector."""
    device = bank.vectors.device
    rows = torch.from_numpy(rows_BT).to(device)
    inside_BT = rows[:, 1:] >= 0
    prediction_BTD = model(bank.vectors[rows[:, :-1].clamp(min=0)])
    target_P = rows[:, 1:][inside_BT]
    draw = torch.from_numpy(rng.integers(len(prepared.train_rows), size=bank.size))
    negative_N = torch.from_numpy(prepared.train_rows)[draw].to(device)
    own_PE = None
    if bank.num_own:
        own = OwnNegatives.draw(prepared.corpus, rows_BT[:, :-1], bank.num_own, rng)
        own_PE = own.cosines(
            prediction_BTD, bank.vectors, bank.groups, rows[:, 1:].clamp(min=0)
        )[inside_BT]
    return mixed_loss(
        prediction_BTD[inside_BT],
        bank.vectors[target_P],
        bank.groups[target_P],
        bank.vectors[negative_N],
        bank.groups[negative_N],
        bank.weights,
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
            f"the {what} of epoch {epoch}, step {step} is {value.item()}; "
            "try a smaller --lr or --grad-clip"
        )
        raise TrainingError(msg)


def _all_finite(model: torch.nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())


def _state(model: torch.nn.Module) -> dict[str, Tensor]:
    state: dict[str, Tensor] = model.state_dict()
    return state
