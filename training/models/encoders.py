"""What the three architectures have in common: contexts in, causal features out."""

import torch
from torch import Tensor, nn

from nextvec.training.models.config import ModelConfig


class Encoder(nn.Module):
    """Base of the recurrent part: ``(B, T, D)`` in, ``(B, T, num_features)`` out.

    Position ``t`` of the output depends on positions 0 to ``t`` of the input only,
    and nothing outlives a forward pass.
    """

    num_features: int
    """Length H of a feature vector."""

    scale: float
    """What components are multiplied with before they are read."""

    input_dropout: "InputDropout"
    """Drops components of what is read."""

    def __call__(self, context_BTD: Tensor) -> Tensor:
        """Encode a batch of contexts."""
        features: Tensor = super().__call__(context_BTD)
        return features

    def scaled(self, context_BTI: Tensor) -> Tensor:
        """Return what recurrent layers read, components dropped; ``(B, T, I)``."""
        kept_BTI: Tensor = self.input_dropout(context_BTI)
        # a copy of 32 contexts to change nothing costs as much as a layer of figures
        return kept_BTI if self.scale == 1 else kept_BTI * self.scale


class InputDropout(nn.Module):
    """Drop the same components of a context at every step.

    Variational dropout, Gal & Ghahramani 2016 (https://arxiv.org/abs/1512.05287):
    a mask that changed from step to step would be averaged out by the recurrence.
    """

    def __init__(self, probability: float) -> None:
        """Drop each component with this probability, in [0, 1)."""
        super().__init__()
        self.probability = probability

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Return the context, components dropped and the rest scaled up."""
        if not self.training or self.probability == 0:
            return context_BTD
        keep = 1 - self.probability
        shape = (context_BTD.shape[0], 1, context_BTD.shape[2])
        mask_B1D = torch.rand(shape, device=context_BTD.device) < keep
        return context_BTD * mask_B1D / keep


def gru(config: ModelConfig, input_size: int) -> nn.GRU:
    """Return the recurrent layers that all architectures are made of."""
    # PyTorch warns about dropout between layers where there is only one
    between = config.dropout if config.num_layers > 1 else 0.0
    return nn.GRU(
        input_size,
        config.hidden_size,
        config.num_layers,
        batch_first=True,
        dropout=between,
    )
