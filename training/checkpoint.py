"""A checkpoint: weights and transform in safetensors, everything else in a card.

Nothing is ever unpickled: a checkpoint from a stranger must not run code.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from nextvec.training.checked import from_json
from nextvec.training.errors import CheckpointError
from nextvec.training.files import read_versioned, write_bytes
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.run_folder import CARD, WEIGHTS
from nextvec.training.transform import Transform

FORMAT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A network ready to predict, the space it lives in, and its story."""

    model: NextVectorModel
    """In evaluation mode."""

    transform: Transform
    """From the caller's space to the one the model works in, and back."""

    card: dict[str, Any]
    """What `card.json` holds; `docs/bundle.md` lists the fields."""


def weights_bytes(model_state: dict[str, Tensor], transform: Transform) -> bytes:
    """Serialize weights and transform as one safetensors file."""
    tensors = {
        f"model.{name}": tensor.detach().cpu().contiguous()
        for name, tensor in model_state.items()
    }
    for name in ("mean", "matrix", "inverse"):
        tensors[f"transform.{name}"] = torch.from_numpy(getattr(transform, name).copy())
    tensors["transform.scale"] = torch.tensor(transform.scale, dtype=torch.float64)
    return save_tensors(tensors, metadata={"format": str(FORMAT)})


def save_weights(
    path: Path, model_state: dict[str, Tensor], transform: Transform
) -> None:
    """Write the weights file, whole or not at all."""
    write_bytes(path, weights_bytes(model_state, transform))


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load the checkpoint in a run's or a bundle's folder.

    Raises:
        CheckpointError: missing, unreadable, of another format, or weights that do
            not fit the network its card describes.
    """
    card = read_checkpoint_card(folder)
    try:
        # as JSON once more: what is a list there may be a tuple here
        config = from_json(ModelConfig, orjson.dumps(card["model"]))
        model = NextVectorModel(config)
    except (KeyError, ValueError) as error:
        msg = f"{folder / CARD}: cannot build a network from it: {error}"
        raise CheckpointError(msg) from error
    transform = load_weights(folder / WEIGHTS, model)
    # a network whose best state is the one before its first step adds exactly nothing
    model.is_run = card.get("is_better_than_base") is not False
    return Checkpoint(model=model.eval(), transform=transform, card=card)


def load_weights(path: Path, model: NextVectorModel) -> Transform:
    """Read weights into a network, and return the transform beside them.

    Raises:
        CheckpointError: missing, unreadable, or made for another network.
    """
    try:
        tensors = load_tensors(path.read_bytes())
    except OSError as error:
        msg = f"{path}: no weights here: {error.strerror}"
        raise CheckpointError(msg) from error
    except SafetensorError as error:
        msg = f"{path}: not a whole safetensors file: {error}"
        raise CheckpointError(msg) from error
    state = {
        name.removeprefix("model."): tensor
        for name, tensor in tensors.items()
        if name.startswith("model.")
    }
    if not all(torch.isfinite(t).all() for t in tensors.values()):
        msg = f"{path}: the weights hold NaN or infinity"
        raise CheckpointError(msg)
    try:
        model.load_state_dict(state)
        transform = Transform(
            mean=tensors["transform.mean"].numpy(),
            matrix=tensors["transform.matrix"].numpy(),
            inverse=tensors["transform.inverse"].numpy(),
            scale=float(tensors["transform.scale"]),
        )
    except (RuntimeError, KeyError, ValueError) as error:
        msg = f"{path}: the weights are not those of its card: {error}"
        raise CheckpointError(msg) from error
    dim = model.config.dim
    expected = {"mean": (dim,), "matrix": (dim, dim), "inverse": (dim, dim)}
    for name, shape in expected.items():
        found = getattr(transform, name).shape
        if found != shape:
            msg = f"{path}: the transform's {name} is {found}, the network's {shape}"
            raise CheckpointError(msg)
    return transform


def read_checkpoint_card(folder: Path) -> dict[str, Any]:
    """Read the card only.

    Raises:
        CheckpointError: missing, unreadable or of another format.
    """
    return read_versioned(
        folder / CARD, what="checkpoint", version=FORMAT, error=CheckpointError
    )


def model_settings(config: ModelConfig) -> dict[str, Any]:
    """Return the part of a card that rebuilds the network."""
    # the length first, as cards have always had it
    return {"dim": config.dim} | asdict(config)
