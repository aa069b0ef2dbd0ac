"""Memory GRU: it asks its own past what followed when it was in a state like this."""

import math

import torch
from torch import Tensor, nn

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder, InputDropout, gru
from nextvec.training.models.prediction import NEVER


class OwnMemory(nn.Module):
    """Keys are the states of a sequence, values what was read after them.

    Nothing is kept from one sequence to the next: what is remembered is the context
    itself. The pointer of Merity et al. 2016 (https://arxiv.org/abs/1609.07843) with
    inputs in place of words; the first state has no past, and reads nothing.
    """

    def __init__(self, state_size: int, input_size: int) -> None:
        """Build it for states H and inputs of some length."""
        super().__init__()
        self.query = nn.Linear(state_size, state_size)
        self.key = nn.Linear(state_size, state_size)
        self.value = nn.Linear(input_size, state_size)

    def forward(self, states_BTH: Tensor, inputs_BTI: Tensor) -> Tensor:
        """Read with every state, shape ``(B, T, H)``."""
        size, length = states_BTH.shape[-1], states_BTH.shape[1]
        query_BTH, key_BTH = self.query(states_BTH), self.key(states_BTH[:, :-1])
        score_BTS = query_BTH @ key_BTH.transpose(1, 2) / math.sqrt(size)
        place_T = torch.arange(length, device=states_BTH.device)
        is_past_TS = place_T[:-1] < place_T[:, None]
        weight_BTS = torch.softmax(score_BTS.masked_fill(~is_past_TS, NEVER), dim=-1)
        value_BSH: Tensor = self.value(inputs_BTI[:, 1:])
        return (weight_BTS * is_past_TS) @ value_BSH


class MemoryEncoder(Encoder):
    """A GRU, and what its own past answers it at every step."""

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration."""
        super().__init__()
        hidden = config.hidden_size
        self.num_features = 2 * hidden
        self.scale = config.input_scale
        self.input_dropout = InputDropout(config.input_dropout)
        self.gru = gru(config, config.input_size)
        self.memory = OwnMemory(hidden, config.input_size)
        self.dropout = nn.Dropout(config.dropout)

    def reads(self, context_BTI: Tensor) -> Tensor:
        """Return what the memory answers at each step, shape ``(B, T, H)``."""
        return self._ask(context_BTI)[1]

    def forward(self, context_BTI: Tensor, read_H: Tensor | None = None) -> Tensor:
        """Encode a batch of contexts.

        Args:
            context_BTI: shape ``(B, T, I)``.
            read_H: put in place of every read, for the ablation; None reads.

        Returns:
            Shape ``(B, T, 2 H)``: the state, and the read.
        """
        states_BTH, read_BTH = self._ask(context_BTI)
        if read_H is not None:
            read_BTH = read_H.expand_as(read_BTH)
        return self.dropout(torch.cat([states_BTH, read_BTH], dim=-1))  # type: ignore[no-any-return]

    def _ask(self, context_BTI: Tensor) -> tuple[Tensor, Tensor]:
        inputs_BTI = self.input_dropout(context_BTI) * self.scale
        states_BTH, _ = self.gru(inputs_BTI)
        return states_BTH, self.memory(states_BTH, inputs_BTI)
