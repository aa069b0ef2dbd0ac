"""Slot GRU: learned slots, read by attention at every step; to compare with."""

import math

import torch
from torch import Tensor, nn

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder, InputDropout, gru


class SlotMemory(nn.Module):
    """Key and value slots that learn by gradient and are only read, never written.

    A memory that is written during a forward pass carries one batch into the next;
    these slots are parameters, so what they hold is what training put there.
    """

    def __init__(self, num_slots: int, size: int) -> None:
        """Make ``num_slots`` slots R, each a key and a value of length ``size`` H."""
        super().__init__()
        self.query = nn.Linear(size, size)
        self.keys_RH = nn.Parameter(torch.randn(num_slots, size))
        self.values_RH = nn.Parameter(torch.randn(num_slots, size) / math.sqrt(size))

    def forward(self, states_BTH: Tensor) -> Tensor:
        """Read with every state: shape ``(B, T, H)`` to ``(B, T, H)``."""
        scores_BTR = self.query(states_BTH) @ self.keys_RH.T
        weights_BTR = torch.softmax(scores_BTR / math.sqrt(states_BTH.shape[-1]), -1)
        return weights_BTR @ self.values_RH


class SlotEncoder(Encoder):
    """A GRU that asks, a memory that answers, and a GRU that reads the answers."""

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration."""
        super().__init__()
        hidden = config.hidden_size
        self.num_features = 2 * hidden
        self.scale = config.input_scale
        self.input_dropout = InputDropout(config.input_dropout)
        self.asking = gru(config, config.input_size)
        self.memory = SlotMemory(config.num_slots, hidden)
        self.reading = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, context_BTI: Tensor) -> Tensor:
        """Encode a batch of contexts, shape ``(B, T, I)`` to ``(B, T, 2 H)``."""
        states_BTH, _ = self.asking(self.scaled(context_BTI))
        read_BTH = self.memory(states_BTH)
        second_BTH, _ = self.reading(torch.cat([states_BTH, read_BTH], dim=-1))
        return self.dropout(torch.cat([second_BTH, read_BTH], dim=-1))  # type: ignore[no-any-return]
