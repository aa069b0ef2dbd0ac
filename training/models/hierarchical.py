"""Hierarchical GRU: one level within chunks, one over chunks."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder, InputDropout, gru


class HierarchicalEncoder(Encoder):
    """A GRU that starts anew in each chunk, and one that follows finished chunks.

    Chunks are counted from the start of the context. A position knows its own chunk
    up to itself and every chunk that ended before; the newest vectors also reach the
    output directly, through the head.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration."""
        super().__init__()
        self.num_features = 2 * config.hidden_size
        self.chunk_size = config.chunk_size
        self.scale = config.input_scale
        self.input_dropout = InputDropout(config.input_dropout)
        self.within = gru(config, config.input_size)
        self.over = gru(config, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Encode a batch of contexts, shape ``(B, T, D)`` to ``(B, T, 2 H)``."""
        size = self.chunk_size
        num_contexts, length, dim = context_BTD.shape
        num_chunks = -(-length // size)
        # what is padded comes after everything that counts, in the last chunk only
        scaled_BTD = self.scaled(context_BTD)
        whole_BTD = pad(scaled_BTD, (0, 0, 0, num_chunks * size - length))
        within, _ = self.within(whole_BTD.reshape(-1, size, dim))
        within_BCSH = within.reshape(num_contexts, num_chunks, size, -1)
        over_BCH, _ = self.over(within_BCSH[:, :, -1])
        # a chunk sees the chunks before it: shift by one, nothing before the first
        before_BCH = pad(over_BCH, (0, 0, 1, 0))[:, :-1]
        before_BCSH = before_BCH[:, :, None].expand_as(within_BCSH)
        features = torch.cat([within_BCSH, before_BCSH], dim=-1)
        features_BTH = features.reshape(num_contexts, num_chunks * size, -1)[:, :length]
        return self.dropout(features_BTH)  # type: ignore[no-any-return]
