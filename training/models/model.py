"""The contract every architecture keeps."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from training.models.baseline import BaselineEncoder
from training.models.blocks import predict_in_blocks
from training.models.config import Architecture, ModelConfig
from training.models.encoders import Encoder
from training.models.head import DeltaHead
from training.models.hierarchical import HierarchicalEncoder
from training.models.linear import LinearEncoder
from training.models.memory import MemoryEncoder
from training.models.transformer import TransformerEncoder

ENCODERS: Final[Mapping[Architecture, Callable[[ModelConfig], Encoder]]] = {
    "baseline": BaselineEncoder,
    "memory": MemoryEncoder,
    "hierarchical": HierarchicalEncoder,
    "linear": LinearEncoder,
    "transformer": TransformerEncoder,
}


class NextVectorModel(nn.Module):
    """Predict the vector after each position of a context.

    Causal: a prediction sees its own position and the ones before. Stateless: a
    forward pass changes nothing that a later one can see. Untrained, it equals its
    closed-form base exactly.
    """

    encoder: Encoder

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration, weights drawn from torch's generator."""
        super().__init__()
        self.config = config
        self.encoder = ENCODERS[config.architecture](config)
        self.head = DeltaHead(config, self.encoder.num_features)

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Predict after every position: unit vectors, shape ``(B, T, D)``."""
        position_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
        position_BT = position_T.expand(context_BTD.shape[0], -1)
        prediction_BTD: Tensor = self.head(
            context_BTD, self.encoder(context_BTD), position_BT
        )
        return prediction_BTD

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Predict after the last vector of each context.

        Args:
            context_BTD: shape ``(B, T, D)``, each context first and whatever padding
                there is after it; which finite numbers it holds does not matter.
            length_B: vectors in each context, 1 to T.

        Returns:
            Unit vectors, shape ``(B, D)``.
        """
        return self.predict_from(context_BTD, self.encoder(context_BTD), length_B)

    def predict_from(
        self, context_BTD: Tensor, features_BTH: Tensor, length_B: Tensor
    ) -> Tensor:
        """Like `predict`, from features that are already there."""
        last_B1 = length_B[:, None] - 1
        index_B1H = last_B1[..., None].expand(-1, -1, features_BTH.shape[-1])
        last_B1H = features_BTH.gather(1, index_B1H)
        prediction_B1D: Tensor = self.head(context_BTD, last_B1H, last_B1)
        return prediction_B1D[:, 0]


@torch.inference_mode()
def predict(
    model: NextVectorModel,
    context_QTD: Tensor,
    length_Q: Tensor,
    *,
    block: int = 64,
) -> Tensor:
    """Predict for many contexts, a block at a time.

    Args:
        model: in evaluation mode.
        context_QTD: in the model's space, padded at the end.
        length_Q: vectors in each context.
        block: contexts at a time.

    Returns:
        Unit vectors, shape ``(Q, D)``, on the model's device.
    """
    device = next(model.parameters()).device
    if len(context_QTD) == 0:
        # which the hierarchy cannot cut into chunks
        return torch.empty(0, model.config.dim, device=device)
    return predict_in_blocks(
        lambda context, length: model.predict(context.to(device), length.to(device)),
        context_QTD,
        length_Q,
        block=block,
    )
