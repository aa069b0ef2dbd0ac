"""The output for documents: a closed form whose places are weighed anew."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from nextvec.training.models.config import ModelConfig

_SIZE = 24
NEW: Final = 0.1
# Weight of a place that neither the mean nor the memory holds, for an output of 1.


class PlaceHead(nn.Module):
    """Weigh the vectors of a context; the prediction is their sum.

    Each place has a weight in the base's mean, one in its memory, and one of its own
    that starts at 0. What the network makes of the place, of its figures and of the
    whole context changes all three, so that an untrained network is its base.
    """

    def __init__(
        self, config: ModelConfig, num_figures: int, num_features: int
    ) -> None:
        """Build it for so many figures and features of each place."""
        super().__init__()
        self.figures = nn.Linear(num_figures, _SIZE)
        self.here = nn.Linear(num_features, _SIZE, bias=False)
        self.now = nn.Linear(num_features, _SIZE, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(_SIZE, 3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        context_BTD: Tensor,
        base_BT2: Tensor,
        figures_BTF: Tensor,
        features_BTH: Tensor,
        length_B: Tensor,
    ) -> Tensor:
        """Predict after the last vector of each context.

        Args:
            context_BTD: unit vectors, padded at the end.
            base_BT2: weight of each place in the base's mean and memory.
            figures_BTF: of each place, standardized.
            features_BTH: what the network makes of the places up to each.
            length_B: vectors in each context.

        Returns:
            Unit vectors, shape ``(B, D)``.
        """
        index_B1H = (length_B - 1)[:, None, None].expand(-1, 1, features_BTH.shape[2])
        now_B1H = features_BTH.gather(1, index_B1H)
        hidden_BTK = torch.tanh(
            self.figures(figures_BTF) + self.here(features_BTH) + self.now(now_B1H)
        )
        change_BT3 = self.out(self.dropout(hidden_BTK))
        weight_BT = (base_BT2 * (1 + change_BT3[..., :2])).sum(dim=2)
        weight_BT = weight_BT + NEW * change_BT3[..., 2]
        place_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
        weight_BT = weight_BT.masked_fill(place_T >= length_B[:, None], 0.0)
        return normalize(torch.einsum("bt,btd->bd", weight_BT, context_BTD), dim=-1)
