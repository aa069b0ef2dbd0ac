"""The original project's network in small, with each of its faults as an option."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from benchmarks.ablation.variants import OutputKind, StudyConfig, Variant
from nextvec.training.models.slots import SlotMemory

_KEPT = 0.9
# Share of a slot that a write leaves, as in the original's code.


class Memory(Protocol):
    """What is asked with a state of the network, and answers with a vector."""

    size: int
    """Length of an answer."""

    def __call__(self, state_BH: Tensor) -> Tensor:
        """Read: shape ``(B, H)`` to ``(B, size)``."""
        ...

    def attention(self, state_BH: Tensor) -> Tensor:
        """Return the weight of each slot in a read, shape ``(B, R)``, rows sum to 1."""
        ...

    def contents(self) -> Tensor:
        """Return what the slots hold, shape ``(R, size)``."""
        ...

    def write(self, state_BH: Tensor, value_BD: Tensor) -> None:
        """Take note of a batch, or not."""
        ...


class BatchMeanMemory(nn.Module):
    """The original's memory: a buffer that keeps the means of batches.

    The gate that says where to write learns nothing: no gradient reaches it. Its
    softmax over all slots is nearly uniform, so each write adds the same vector to all
    of them, and what they held fades with .9 to the power of the writes.
    """

    slots: Tensor
    """What it holds, shape ``(R, D)``."""

    def __init__(self, num_slots: int, state_size: int, size: int) -> None:
        """Make ``num_slots`` slots of small random numbers."""
        super().__init__()
        self.size = size
        self.register_buffer("slots", 0.01 * torch.randn(num_slots, size))
        self.query = nn.Linear(state_size, size)
        self.gate = nn.Linear(state_size, num_slots)

    def forward(self, state_BH: Tensor) -> Tensor:
        """Read with states: shape ``(B, H)`` to ``(B, D)``."""
        return self.attention(state_BH) @ self.slots

    def attention(self, state_BH: Tensor) -> Tensor:
        """Return the softmax of the cosines with all slots, without a temperature."""
        query_BD = normalize(self.query(state_BH), dim=-1)
        return torch.softmax(query_BD @ normalize(self.slots, dim=-1).T, dim=-1)

    def contents(self) -> Tensor:
        """Return the slots, by which they are found and which are read."""
        return self.slots

    @torch.no_grad()
    def write(self, state_BH: Tensor, value_BD: Tensor) -> None:
        """Blend the mean of a batch into the slots, in training only."""
        if not self.training:
            return
        where_R = torch.softmax(self.gate(state_BH), dim=-1).mean(dim=0)
        update_RD = torch.outer(where_R, value_BD.mean(dim=0))
        self.slots = _KEPT * self.slots + (1 - _KEPT) * update_RD


class LearnedSlots(nn.Module):
    """The memory of this project's Memory GRU, asked where the original's is."""

    def __init__(self, num_slots: int, state_size: int) -> None:
        """Make ``num_slots`` slots, each a key and a value."""
        super().__init__()
        self.size = state_size
        self.memory = SlotMemory(num_slots, state_size)

    def forward(self, state_BH: Tensor) -> Tensor:
        """Read with states: shape ``(B, H)`` to ``(B, H)``."""
        read: Tensor = self.memory(state_BH[:, None])[:, 0]
        return read

    def attention(self, state_BH: Tensor) -> Tensor:
        """Return the weights of `SlotMemory`, which keeps them to itself."""
        score_BR = self.memory.query(state_BH) @ self.memory.keys_RH.T
        return torch.softmax(score_BR / math.sqrt(self.size), dim=-1)

    def contents(self) -> Tensor:
        """Return what is read, the values."""
        return self.memory.values_RH

    def write(self, state_BH: Tensor, value_BD: Tensor) -> None:
        """Keep nothing: slots learn by gradient only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says about a batch of contexts."""

    change: Tensor
    """How the next vector differs from the last, as the network put it; ``(B, D)``."""

    prediction: Tensor
    """The next vector, unit rows, shape ``(B, D)``."""


class OriginalGRU(nn.Module):
    """Recurrent layers over normalized inputs, a memory maybe, and a small head.

    After the original's Memory GRU: the memory is asked with zeros before the first
    step, that answer goes into every step, and with the last state, for the head.
    """

    def __init__(self, dim: int, variant: Variant, config: StudyConfig) -> None:
        """Build it for vectors of length ``dim``, weights from torch's generator."""
        super().__init__()
        hidden, self._output = config.hidden_size, variant.output
        self.memory = _memory(dim, variant, config)
        asked = 0 if self.memory is None else self.memory.size
        self.norm = nn.LayerNorm(dim)
        self.gru = nn.GRU(
            dim + asked,
            hidden,
            config.num_layers,
            batch_first=True,
            # PyTorch warns about dropout between layers where there is only one
            dropout=variant.dropout if config.num_layers > 1 else 0.0,
        )
        self.head = nn.Sequential(
            nn.Linear(hidden + asked, hidden),
            nn.GELU(),
            nn.Dropout(variant.dropout),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, 2 * hidden),
            nn.GELU(),
            nn.Dropout(variant.dropout),
            nn.Linear(2 * hidden, dim),
        )
        self.shortcut = nn.Linear(dim, dim) if variant.has_shortcut else None

    def __call__(self, context_BTD: Tensor) -> Answer:
        """Predict what comes after each context, shape ``(B, T, D)``, none padded."""
        answer: Answer = super().__call__(context_BTD)
        return answer

    def forward(self, context_BTD: Tensor) -> Answer:
        """Predict what comes after each context."""
        last_BD = context_BTD[:, -1]
        state_BH = self.state(context_BTD)
        known_BF = state_BH
        if self.memory is not None:
            known_BF = torch.cat([state_BH, self.memory(state_BH)], dim=-1)
        raw_BD = self.head(known_BF)
        if self.shortcut is not None:
            raw_BD = raw_BD + self.shortcut(last_BD)
        if self.memory is not None:
            self.memory.write(state_BH, raw_BD)
        return _answer(self._output, raw_BD, last_BD)

    def state(self, context_BTD: Tensor) -> Tensor:
        """Return the last state of the last layer, shape ``(B, H)``."""
        input_BTF = self.norm(context_BTD)
        if self.memory is not None:
            num_contexts, length, _ = context_BTD.shape
            nothing = context_BTD.new_zeros(num_contexts, self.gru.hidden_size)
            read_BTR = self.memory(nothing)[:, None].expand(-1, length, -1)
            input_BTF = torch.cat([input_BTF, read_BTR], dim=-1)
        _, state_LBH = self.gru(input_BTF)
        state_BH: Tensor = state_LBH[-1]
        return state_BH


def _memory(
    dim: int, variant: Variant, config: StudyConfig
) -> BatchMeanMemory | LearnedSlots | None:
    if variant.memory == "none":
        return None
    if variant.memory == "slots":
        return LearnedSlots(config.num_slots, config.hidden_size)
    return BatchMeanMemory(config.num_slots, config.hidden_size, dim)


def _answer(output: OutputKind, raw_BD: Tensor, last_BD: Tensor) -> Answer:
    if output == "vector":
        prediction_BD = normalize(raw_BD, dim=-1)
        return Answer(prediction_BD - last_BD, prediction_BD)
    change_BD = normalize(raw_BD, dim=-1) if output == "unit change" else raw_BD
    return Answer(change_BD, normalize(last_BD + change_BD, dim=-1))
