"""Transformer encoder as PyTorch ships it: what a GRU has to be compared with."""

import torch
from torch import Tensor, nn

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder, InputDropout
from nextvec.training.vectors import CONTEXT_LENGTH

_HEAD_SIZE = 64
# Units of an attention head, as in Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762).


class TransformerEncoder(Encoder):
    """Causal self-attention over the context, positions learned from its start."""

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration."""
        super().__init__()
        hidden = config.hidden_size
        self.num_features = hidden
        self.scale = config.input_scale
        self.input_dropout = InputDropout(config.input_dropout)
        self.project = nn.Linear(config.input_size, hidden)
        self.position_TH = nn.Parameter(0.02 * torch.randn(CONTEXT_LENGTH, hidden))
        layer = nn.TransformerEncoderLayer(
            hidden,
            nhead=max(1, hidden // _HEAD_SIZE),
            dim_feedforward=2 * hidden,
            dropout=config.dropout,
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer,
            config.num_layers,
            norm=nn.LayerNorm(hidden),
            enable_nested_tensor=False,
        )

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Encode a batch of contexts, shape ``(B, T, D)`` to ``(B, T, H)``."""
        length = context_BTD.shape[1]
        scaled_BTD = self.scaled(context_BTD)
        # padding can make a batch wider than the longest context
        position_T = torch.arange(length, device=context_BTD.device)
        place_TH = self.position_TH[position_T.clamp(max=CONTEXT_LENGTH - 1)]
        inputs_BTH = self.project(scaled_BTD) + place_TH
        later_TT = torch.ones(length, length, device=context_BTD.device).triu(1).bool()
        return self.layers(inputs_BTH, mask=later_TT)  # type: ignore[no-any-return]
