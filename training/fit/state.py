"""Everything a run needs to go on after it was cut off, without unpickling."""

from dataclasses import dataclass, field
from pathlib import Path

import orjson
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from nextvec.training.errors import TrainingError
from nextvec.training.files import write_bytes
from nextvec.training.listener import Epoch
from nextvec.training.run_folder import STATE


@dataclass(slots=True)
class TrainingState:
    """Where a run stands after an epoch; weights and optimizer are beside it."""

    history: list[Epoch] = field(default_factory=list)
    step: int = 0
    """Optimizer steps taken so far."""

    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the best epoch."""


def save_state(
    folder: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write one file, whole or not at all."""
    tensors = {f"best.{name}": tensor for name, tensor in state.best.items()}
    tensors |= {f"model.{n}": t.detach().cpu() for n, t in model.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"optimizer.{number}.{name}"] = value.detach().cpu()
    # a tensor and its best can share memory, which the format refuses
    copies = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    history = orjson.dumps([epoch.to_dict() for epoch in state.history]).decode()
    metadata = {"step": str(state.step), "history": history}
    write_bytes(folder / STATE, save_tensors(copies, metadata=metadata))


def load_state(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> TrainingState | None:
    """Put a model and its optimizer back to where a run stood.

    Returns:
        Where that was; None if the run had not finished its epoch 0.

    Raises:
        TrainingError: the file is damaged or belongs to another network.
    """
    path = folder / STATE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        tensors = load_tensors(data)
        metadata = _metadata(data)
        model.load_state_dict(_part(tensors, "model."))
        moments = _part(tensors, "optimizer.")
        groups = optimizer.state_dict()["param_groups"]
        numbered: dict[int, dict[str, Tensor]] = {}
        for name, tensor in moments.items():
            number, key = name.split(".", 1)
            numbered.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({"state": numbered, "param_groups": groups})
        history = [Epoch(**values) for values in orjson.loads(metadata["history"])]
        step = int(metadata["step"])
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: cannot go on from it ({error}); delete the run to start anew"
        raise TrainingError(msg) from error
    return TrainingState(history=history, step=step, best=_part(tensors, "best."))


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _metadata(data: bytes) -> dict[str, str]:
    """Read the header: its length in 8 little-endian bytes, then JSON.

    https://huggingface.co/docs/safetensors: the library reads it from files only.
    """
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = orjson.loads(data[8 : 8 + length])
    return header["__metadata__"]
