"""The seam between the engine and whatever computes its predictions."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import torch
from torch import Tensor, nn

from nextvec.app.bundle.engine_names import EAGER, ENGINES, INT8
from nextvec.app.inference.heads import FusedCopying, FusedPlaceHead
from nextvec.app.inference.kernel import Kernel, load_kernel
from nextvec.app.inference.recurrence import FusedGRU, FusedMemory
from nextvec.training.errors import BundleError
from nextvec.training.models.memory import OwnMemory
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.place_head import PlaceHead
from nextvec.training.models.prediction import Prediction
from nextvec.training.models.stepping import Stepping

_SECOND: Final = frozenset({"over", "reading"})
# Layers that read no vectors but what other layers made of them.


class Predictor(Protocol):
    """Predicts after contexts that are padded already."""

    @property
    def name(self) -> str:
        """What it is, in words for people."""
        ...

    @property
    def stepping(self) -> Stepping | None:
        """The same by the step; None where each new vector costs a whole context."""
        ...

    def __call__(self, context_BTD: Tensor, length_B: Tensor) -> Prediction:
        """Predict after the last vector of each context.

        Args:
            context_BTD: float32, in the searched space, zeros after each context.
            length_B: vectors in each context, 1 to T.

        Returns:
            One prediction for each; without rows.
        """
        ...


@dataclass(frozen=True)
class NetworkPredictor:
    """A network, as it was trained or with other recurrent layers."""

    model: NextVectorModel

    name: str
    """What it is, in words for people."""

    @cached_property
    def stepping(self) -> Stepping | None:
        """The same by the step, with the layers that whole contexts are run by."""
        return Stepping.of(self.model)

    @torch.inference_mode()
    def __call__(self, context_BTD: Tensor, length_B: Tensor) -> Prediction:
        """Predict after the last vector of each context."""
        return self.model.predict(context_BTD, length_B)


def make_predictor(
    model: NextVectorModel,
    engine: str,
    *,
    load: Callable[[], Kernel | None] = load_kernel,
) -> Predictor:
    """Return what runs a network.

    Args:
        model: in evaluation mode; left unchanged, and its weights shared.
        engine: one of `ENGINES`.
        load: gives what runs recurrent layers; where it gives None the network runs as
            it was trained.

    Raises:
        BundleError: the engine is of another version of this package.
    """
    if engine not in ENGINES:
        msg = f"expected an engine out of {', '.join(ENGINES)}, got {engine!r}"
        raise BundleError(msg)
    if engine == EAGER or engine not in engines_for(model):
        return NetworkPredictor(model, EAGER)
    kernel = load()
    if kernel is None:
        # step by step in torch it would be the same, and slower
        return NetworkPredictor(model, f"{EAGER}: {engine} wants a C compiler")
    rebuilt = _rebuilt(model, kernel=kernel, is_int8=engine == INT8)
    return NetworkPredictor(rebuilt, engine)


def engines_for(model: NextVectorModel) -> tuple[str, ...]:
    """Return the engines that differ for a network: without recurrence only one."""
    has_layers = any(isinstance(part, nn.GRU) for part in model.encoder.modules())
    return tuple(ENGINES) if has_layers and model.is_run else (EAGER,)


@torch.no_grad()
def _rebuilt(
    model: NextVectorModel, *, kernel: Kernel, is_int8: bool
) -> NextVectorModel:
    """Return the network with its recurrent parts rebuilt, the rest shared."""
    encoder, parts = copy.copy(model.encoder), dict(model.encoder.named_children())
    for name, part in parts.items():
        # in the hierarchy the second layers read states
        scale = 1.0 if name in _SECOND else encoder.scale
        if isinstance(part, nn.GRU):
            parts[name] = FusedGRU(part, kernel=kernel, is_int8=is_int8, scale=scale)
        elif isinstance(part, OwnMemory):
            parts[name] = FusedMemory(part, kernel=kernel, is_int8=is_int8, scale=scale)
    encoder.scale = 1.0
    rebuilt, heads = copy.copy(model), dict(model.named_children())
    if isinstance(model.head, PlaceHead):
        heads["head"] = FusedPlaceHead(model.head, kernel=kernel)
    if model.copying is not None:
        heads["copying"] = FusedCopying(model.copying, kernel=kernel)
    for module, children in ((encoder, parts), (rebuilt, heads)):
        # a copy of a module shares the table of its parts
        object.__setattr__(module, "_modules", children)
    rebuilt.encoder = encoder
    rebuilt.describe = kernel.describe
    return rebuilt
