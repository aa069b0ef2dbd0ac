"""Memory GRU: it asks its own past what followed when it was in a state like this."""

import math
from collections.abc import Sequence

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

    def beside(self, states_BTH: Tensor, inputs_BTI: Tensor) -> Tensor:
        """Return states and what each reads, shape ``(B, T, 2 H)``."""
        return torch.cat([states_BTH, self(states_BTH, inputs_BTI)], dim=-1)

    def asked(self, states_BNH: Tensor) -> Tensor:
        """Return what states look for: times an earlier state, its score.

        A bias of the keys changes no softmax, and is left out; shape ``(B, N, H)``.
        """
        asked_BNH: Tensor = self.query(states_BNH) @ self.key.weight
        return asked_BNH / math.sqrt(asked_BNH.shape[-1])

    def recalled(
        self,
        asked_BNH: Tensor,
        states: Sequence[Tensor],
        contexts: Sequence[Tensor],
    ) -> Tensor:
        """Return what was read after states like the newest ones, weighed.

        Args:
            asked_BNH: what the newest positions of each context look for.
            states: of all positions of each, each ``(T, H)``.
            contexts: what was read at them, each ``(T, I)``.

        Returns:
            Shape ``(B, N, I)``; of any finite numbers at position 0, which has no past.
        """
        # one by one: to pad what is kept of all would cost more than the products
        each = zip(asked_BNH, states, contexts, strict=True)
        return torch.stack([_recall(*one) for one in each])


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
        inputs_BTI = self.scaled(context_BTI)
        read_BTH: Tensor = self.memory(self.gru(inputs_BTI)[0], inputs_BTI)
        return read_BTH

    def forward(self, context_BTI: Tensor, read_H: Tensor | None = None) -> Tensor:
        """Encode a batch of contexts.

        Args:
            context_BTI: shape ``(B, T, I)``.
            read_H: put in place of every read, for the ablation; None reads.

        Returns:
            Shape ``(B, T, 2 H)``: the state, and the read.
        """
        inputs_BTI = self.scaled(context_BTI)
        states_BTH, _ = self.gru(inputs_BTI)
        if read_H is None:
            both_BTF = self.memory.beside(states_BTH, inputs_BTI)
        else:
            both_BTF = torch.cat([states_BTH, read_H.expand_as(states_BTH)], dim=-1)
        return self.dropout(both_BTF)  # type: ignore[no-any-return]


def _recall(asked_NH: Tensor, states_TH: Tensor, context_TD: Tensor) -> Tensor:
    """Return what was read after the states that are like the newest ones.

    Args:
        asked_NH: what the newest positions ask for.
        states_TH: of all positions.
        context_TD: what was read at them.

    Returns:
        Shape ``(N, D)``; of any finite numbers at position 0, which has no past.
    """
    score_NS = asked_NH @ states_TH[:-1].T
    num_new, num_past = score_NS.shape
    if num_new > 1:
        place_S = torch.arange(num_past, device=score_NS.device)
        first = num_past + 1 - num_new
        is_later_NS = place_S >= first + torch.arange(num_new)[:, None].to(place_S)
        score_NS = score_NS.masked_fill(is_later_NS, NEVER)
    return torch.softmax(score_NS, dim=1) @ context_TD[1:]
