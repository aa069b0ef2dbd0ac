"""The training loop: one epoch after the other, the best weights kept."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nextvec.training.checkpoint import save_weights
from nextvec.training.config import Device, TrainingConfig
from nextvec.training.errors import TrainingError
from nextvec.training.fit.early_stopping import EarlyStopping
from nextvec.training.fit.monitor import Monitor, selection_score
from nextvec.training.fit.start import Start
from nextvec.training.fit.state import TrainingState, load_state, save_state
from nextvec.training.fit.trainer import EpochTrainer
from nextvec.training.listener import Epoch, Listener, Plan
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.run_folder import WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What the loop leaves behind."""

    model: NextVectorModel
    """With the best weights restored, in evaluation mode, on the CPU."""

    history: tuple[Epoch, ...]
    best_epoch: int
    best_score: float
    """Validation Hit@K in the selection pool at that epoch, a fraction."""

    restored_score: float
    """The same, measured again with the restored weights on the same device."""


def fit(
    model: NextVectorModel,
    prepared: Preparation,
    config: TrainingConfig,
    folder: Path,
    listener: Listener,
    start: Start | None = None,
) -> Trained:
    """Train until validation Hit@K has not improved for ``patience`` epochs.

    Each new best is written to ``folder`` at once; after each epoch so is everything
    needed to go on from there, and a run that was cut off continues exactly as it
    would have.

    Args:
        model: untrained; it is trained in place.
        prepared: corpus, split and searched space.
        config: the options of the run.
        folder: the run's folder.
        listener: hears of every epoch.
        start: what epoch 1 is, as it comes; None trains from epoch 0 on.

    Raises:
        TrainingError: a loss or a score is not finite; says where.
    """
    fabric = Fabric(accelerator=accelerator(config.device), devices=1)
    optimizer = optimizer_of(model, config)
    trainer = EpochTrainer(fabric, model, optimizer, prepared, config)
    monitor = Monitor(prepared, config)
    stopping = EarlyStopping(config.patience, config.min_delta)
    state = load_state(folder, model, optimizer) or TrainingState()
    listener.plan(
        Plan(
            k=prepared.suite.k,
            pool=prepared.selection_pool,
            max_epochs=config.max_epochs,
            patience=config.patience,
            epochs_done=len(state.history) - 1 if state.history else None,
        )
    )
    for epoch in state.history:
        stopping.update(epoch.score)
        listener.epoch(epoch)
    while len(state.history) <= config.max_epochs and not (
        state.history and stopping.should_stop
    ):
        number, started = len(state.history), time.perf_counter()
        step_loss = None
        if number == 1 and start is not None:
            # on a small corpus the best state is often this one
            start.load_into(model)
        elif number > 0:
            listener.phase(f"epoch {number} of at most {config.max_epochs}: training")
            step_loss, state.step = trainer.train(number, state.step, listener)
        listener.phase(f"epoch {number}: measuring on validation")
        measured = monitor.measure(
            model.eval(), epoch=number, progress=listener.progress
        )
        if stopping.update(measured.score):
            state.best = {k: v.detach().cpu().clone() for k, v in _state(model).items()}
            save_weights(folder / WEIGHTS, state.best, prepared.transform)
        epoch = Epoch(
            number=number,
            score=measured.score,
            step_loss=step_loss,
            train_loss=measured.train_loss,
            validation_loss=measured.validation_loss,
            train_cosine=measured.train_cosine,
            validation_cosine=measured.validation_cosine,
            train_score=measured.train_score,
            seconds=time.perf_counter() - started,
            is_best=stopping.best_epoch == number,
        )
        state.history.append(epoch)
        save_state(folder, state, model, optimizer)
        listener.epoch(epoch)
    # an epoch that a crash cut off after its weights were written may not have been
    # a best one when it was trained again
    save_weights(folder / WEIGHTS, state.best, prepared.transform)
    model.load_state_dict(state.best)
    # on the device where it was recorded: another rounds otherwise
    listener.phase("measuring the best weights, restored")
    restored_score = selection_score(model.eval(), prepared)
    return Trained(
        model=model.cpu(),
        history=tuple(state.history),
        best_epoch=stopping.best_epoch,
        best_score=stopping.best_score,
        restored_score=restored_score,
    )


def optimizer_of(model: NextVectorModel, config: TrainingConfig) -> torch.optim.AdamW:
    """Return the optimizer of a run.

    The table of items is left without decay: an item not met is to stay as it is.
    """
    table = [] if model.items is None else list(model.items.parameters())
    known = {id(parameter) for parameter in table}
    rest = [p for p in model.parameters() if id(p) not in known]
    groups: list[dict[str, Any]] = [
        {"params": rest, "weight_decay": config.weight_decay}
    ]
    if table:
        groups.append({"params": table, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=config.lr)


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


def _state(model: torch.nn.Module) -> dict[str, Tensor]:
    state: dict[str, Tensor] = model.state_dict()
    return state
