"""Linear model: no recurrence at all, to see what the networks are worth."""

import torch
from torch import Tensor

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder


class LinearEncoder(Encoder):
    """Features that know nothing of the context.

    What the head makes of them is linear: the same new weights of the newest vectors
    for every context, and a linear map of the base.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Build it; of the configuration it needs nothing."""
        super().__init__()
        del config
        self.num_features = 1

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Return ones, shape ``(B, T, 1)``."""
        return torch.ones_like(context_BTD[..., :1])
