"""The output: a closed-form base plus a learned change, normalized once."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from nextvec.training.models.config import ModelConfig


class DeltaHead(nn.Module):
    """Turn features into predictions near a closed form of the context.

    The change has two parts: the newest vectors weighed anew, which stays inside the
    span of the context and generalizes best, and a free vector, which can leave it.
    Both start at exactly zero, so that an untrained network is its base.
    """

    def __init__(self, config: ModelConfig, num_features: int) -> None:
        """Build it for ``num_features`` features at each position."""
        super().__init__()
        self.config = config
        self.lags = nn.Linear(num_features, config.num_lags)
        self.free = nn.Linear(num_features + config.dim, config.dim)
        for layer in (self.lags, self.free):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, context_BTD: Tensor, features_BPH: Tensor, position_BP: Tensor
    ) -> Tensor:
        """Predict the vector after each of some positions.

        Args:
            context_BTD: the whole context.
            features_BPH: what the network knows at each of the positions.
            position_BP: which positions these are, 0 to ``T - 1``.

        Returns:
            Unit vectors, shape ``(B, P, D)``.
        """
        base_BPD = self.config.base.at(context_BTD, position_BP)
        return self.change(base_BPD, context_BTD, features_BPH, position_BP)

    def change(
        self,
        base_BPD: Tensor,
        context_BTD: Tensor,
        features_BPH: Tensor,
        position_BP: Tensor,
    ) -> Tensor:
        """Like `forward`, from a base that is already there, shape ``(B, P, D)``."""
        free_BPD = self.free(torch.cat([features_BPH, base_BPD], dim=-1))
        free_BPD = free_BPD * self.config.free_scale
        lag_BPT = _by_column(self.lags(features_BPH), position_BP, context_BTD.shape[1])
        return normalize(base_BPD + lag_BPT @ context_BTD + free_BPD, dim=-1)


def _by_column(lag_BPL: Tensor, position_BP: Tensor, length: int) -> Tensor:
    """Spread weights by lag over the columns of the context, zero elsewhere."""
    column_T = torch.arange(length, device=lag_BPL.device)
    back_BPT = position_BP[..., None] - column_T
    in_reach_BPT = (back_BPT >= 0) & (back_BPT < lag_BPL.shape[-1])
    index_BPT = back_BPT.clamp(0, lag_BPL.shape[-1] - 1)
    return torch.where(in_reach_BPT, lag_BPL.gather(-1, index_BPT), 0.0)
