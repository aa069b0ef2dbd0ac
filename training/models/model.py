"""The contract every architecture keeps."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from nextvec.training.models.baseline import BaselineEncoder
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder
from nextvec.training.models.head import DeltaHead
from nextvec.training.models.hierarchical import HierarchicalEncoder
from nextvec.training.models.items import Copying, ItemHead, ItemTable
from nextvec.training.models.linear import LinearEncoder
from nextvec.training.models.memory import MemoryEncoder
from nextvec.training.models.options import Architecture
from nextvec.training.models.place_head import PlaceHead
from nextvec.training.models.prediction import Prediction
from nextvec.training.models.similarities import (
    NUM_SIMILARITIES,
    Describe,
    Described,
    describe,
)
from nextvec.training.models.slots import SlotEncoder
from nextvec.training.models.transformer import TransformerEncoder

ENCODERS: Final[Mapping[Architecture, Callable[[ModelConfig], Encoder]]] = {
    "baseline": BaselineEncoder,
    "memory": MemoryEncoder,
    "hierarchical": HierarchicalEncoder,
    "slots": SlotEncoder,
    "linear": LinearEncoder,
    "transformer": TransformerEncoder,
}


_LEAST_SCALE: Final = 1e-4
_MOST: Final = 4.0
# Standard deviations beyond which a figure says no more.


class NextVectorModel(nn.Module):
    """Predict the vector after a context.

    Causal: a prediction sees its own position and the ones before. Stateless: a
    forward pass changes nothing that a later one can see. Untrained, it equals a
    closed form: of documents its base; of items how often each occurs, and where they
    may return what `Copying` starts with.
    """

    encoder: Encoder
    figure_mean: Tensor
    figure_scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration, weights drawn from torch's generator."""
        super().__init__()
        self.config = config
        self.encoder = ENCODERS[config.architecture](config)
        num_features = self.encoder.num_features
        self.items = ItemTable(config) if config.num_items else None
        self.head = _head(config, num_features)
        self.is_run = True
        """Whether the recurrent part is run; where the best state is the one before the
        first step it adds nothing, and `predict` does without."""
        self.describe: Describe = describe
        """Tells how the vectors of contexts lie to one another."""
        has_keys = config.architecture == "memory"
        self.copying = (
            Copying(num_features, has_keys=has_keys) if config.can_copy else None
        )
        if config.weighs_places:
            self.register_buffer("figure_mean", torch.zeros(NUM_SIMILARITIES))
            self.register_buffer("figure_scale", torch.ones(NUM_SIMILARITIES))

    @torch.no_grad()
    def standardize(self, context_BTD: Tensor, length_B: Tensor) -> None:
        """Let the similarities of some contexts have mean 0 and variance 1.

        Args:
            context_BTD: of training, padded at the end.
            length_B: vectors in each.
        """
        place_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
        is_inside_BT = place_T < length_B[:, None]
        told = self.describe(self.config.base, context_BTD, length_B)
        figures_PF = told.figures[is_inside_BT]
        self.figure_mean.copy_(figures_PF.mean(dim=0))
        self.figure_scale.copy_(figures_PF.std(dim=0).clamp(min=_LEAST_SCALE))

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Predict vectors after every position, shape ``(B, T, D)``."""
        return self.everywhere(context_BTD).vectors

    def everywhere(self, context_BTD: Tensor) -> Prediction:
        """Predict after every position: vectors ``(B, T, D)``, copies ``(B, T, T)``.

        Where places are weighed every position has a pass of its own.
        """
        if isinstance(self.head, PlaceHead):
            count = len(context_BTD)
            lengths = range(1, context_BTD.shape[1] + 1)
            device = context_BTD.device
            each = [
                self.predict(context_BTD, torch.full((count,), n, device=device))
                for n in lengths
            ]
            return Prediction(torch.stack([found.vectors for found in each], dim=1))
        position_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
        position_BT = position_T.expand(context_BTD.shape[0], -1)
        return self._at(context_BTD, self.encoder(context_BTD), position_BT)

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Prediction:
        """Predict after the last vector of each context.

        Args:
            context_BTD: shape ``(B, T, D)``, each context first and whatever padding
                there is after it; which finite numbers it holds does not matter.
            length_B: vectors in each context, 1 to T.

        Returns:
            One prediction for each; without rows.
        """
        if not self.is_run:
            return self._untrained(context_BTD, length_B)
        told = self._described(context_BTD, length_B)
        inputs_BTI = self._inputs(context_BTD, told)
        features_BTH = self.encoder(inputs_BTI)
        return self._predict(context_BTD, told, inputs_BTI, features_BTH, length_B)

    def _untrained(self, context_BTD: Tensor, length_B: Tensor) -> Prediction:
        """Predict as before the first step: what reads features weighs them by 0."""
        if self.items is None:
            base_B1D = self.config.base.at(context_BTD, length_B[:, None] - 1)
            return Prediction(normalize(base_B1D[:, 0], dim=-1))
        shape = (*context_BTD.shape[:2], self.encoder.num_features)
        nothing_BTH = context_BTD.new_zeros(shape)
        return self.predict_from(context_BTD, context_BTD, nothing_BTH, length_B)

    def predict_from(
        self,
        context_BTD: Tensor,
        inputs_BTI: Tensor,
        features_BTH: Tensor,
        length_B: Tensor,
    ) -> Prediction:
        """Like `predict`, from inputs and features that are already there."""
        told = self._described(context_BTD, length_B)
        return self._predict(context_BTD, told, inputs_BTI, features_BTH, length_B)

    def inputs(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return what the recurrent part reads, shape ``(B, T, I)``."""
        told = self._described(context_BTD, length_B)
        return self._inputs(context_BTD, told)

    def _described(self, context_BTD: Tensor, length_B: Tensor) -> Described | None:
        """Return what encoder and head are told; None where that is the vectors."""
        if not self.config.weighs_places:
            return None
        return self.describe(self.config.base, context_BTD, length_B)

    def _inputs(self, context_BTD: Tensor, told: Described | None) -> Tensor:
        if told is None:
            return context_BTD
        standard_BTF = (told.figures - self.figure_mean) / self.figure_scale
        return standard_BTF.clamp(-_MOST, _MOST)

    def _predict(
        self,
        context_BTD: Tensor,
        told: Described | None,
        inputs_BTI: Tensor,
        features_BTH: Tensor,
        length_B: Tensor,
    ) -> Prediction:
        if isinstance(self.head, PlaceHead) and told is not None:
            return Prediction(
                self.head(context_BTD, told.base, inputs_BTI, features_BTH, length_B)
            )
        found = self._at(context_BTD, features_BTH, length_B[:, None] - 1)
        copies_B1T = found.copies
        return Prediction(
            found.vectors[:, 0], None if copies_B1T is None else copies_B1T[:, 0]
        )

    def _at(
        self, context_BTD: Tensor, features_BTH: Tensor, position_BP: Tensor
    ) -> Prediction:
        index_BPH = position_BP[..., None].expand(-1, -1, features_BTH.shape[-1])
        features_BPH = features_BTH.gather(1, index_BPH)
        if isinstance(self.head, DeltaHead):
            return Prediction(self.head(context_BTD, features_BPH, position_BP))
        copies_BPT = None
        if self.copying is not None:
            copies_BPT = self.copying(context_BTD, features_BTH, position_BP)
        return Prediction(self.head(features_BPH), copies_BPT)


def _head(config: ModelConfig, num_features: int) -> DeltaHead | ItemHead | PlaceHead:
    if config.num_items:
        return ItemHead(config, num_features)
    if config.weighs_places:
        return PlaceHead(config, NUM_SIMILARITIES, num_features)
    return DeltaHead(config, num_features)


@torch.inference_mode()
def predict(
    model: NextVectorModel,
    context_QTD: Tensor,
    length_Q: Tensor,
    *,
    block: int = 64,
) -> Prediction:
    """Predict for many contexts, a block at a time.

    Args:
        model: in evaluation mode.
        context_QTD: in the model's space, padded at the end.
        length_Q: vectors in each context.
        block: contexts at a time.

    Returns:
        One prediction for each, on the model's device; without rows.
    """
    device = next(model.parameters()).device
    if len(context_QTD) == 0:
        # which the hierarchy cannot cut into chunks
        return Prediction(torch.empty(0, model.config.dim, device=device))
    blocks = zip(context_QTD.split(block), length_Q.split(block), strict=True)
    return Prediction.joined(
        [
            model.predict(context.to(device), length.to(device))
            for context, length in blocks
        ]
    )
