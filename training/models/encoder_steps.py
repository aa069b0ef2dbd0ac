"""Encoders by the step: what each keeps of a context, and what new vectors change."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from nextvec.training.models.baseline import BaselineEncoder
from nextvec.training.models.encoders import Encoder
from nextvec.training.models.growing import Grown, Kept
from nextvec.training.models.hierarchical import HierarchicalEncoder
from nextvec.training.models.memory import MemoryEncoder


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an encoder knows after some new vectors."""

    features: Tensor
    """At each of the new positions, shape ``(B, N, H)``."""

    now: Tensor
    """What it keeps of a context as a whole, shape ``(B, S)``."""

    places: list[tuple[Kept, ...]]
    """What it keeps of each position, of each context."""


class EncoderStep(ABC):
    """Base of the step forms: the same features as the encoder's, from what is kept."""

    num_now: int
    """Numbers it keeps of a context as a whole, S."""

    place_sizes: tuple[int, ...] = ()
    """Numbers it keeps of each position, F, for each thing that it keeps."""

    @abstractmethod
    def advance(
        self, grown: Grown, now_BS: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Advanced:
        """Read the new vectors.

        Args:
            grown: the contexts.
            now_BS: what was kept of each as a whole; zeros at the start.
            places: what was kept of each old position; there may be more than its own.
        """


class BaselineStep(EncoderStep):
    """Keeps the states of the recurrent layers."""

    def __init__(self, encoder: BaselineEncoder) -> None:
        """Take an encoder in evaluation mode."""
        self._encoder = encoder
        self.num_now = _num_states(encoder.gru)

    def advance(
        self, grown: Grown, now_BS: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Advanced:
        """Read the new vectors."""
        inputs_BND = self._encoder.scaled(grown.newest)
        features_BNH, now_BS = _run(self._encoder.gru, inputs_BND, now_BS)
        return Advanced(features_BNH, now_BS, [() for _ in places])


class MemoryStep(EncoderStep):
    """Keeps the states of the recurrent layers, and the last layer's at each position.

    Keys and values are linear in states and inputs, and a bias of the keys changes no
    softmax: the query goes through the matrix of the keys instead, and the weighted sum
    of the inputs through that of the values. So neither need be kept.
    """

    def __init__(self, encoder: MemoryEncoder) -> None:
        """Take an encoder in evaluation mode."""
        self._encoder = encoder
        self.num_now = _num_states(encoder.gru)
        self.place_sizes = (encoder.gru.hidden_size,)

    def advance(
        self, grown: Grown, now_BS: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Advanced:
        """Read the new vectors."""
        encoder, memory = self._encoder, self._encoder.memory
        states_BNH, now_BS = _run(encoder.gru, encoder.scaled(grown.newest), now_BS)
        asked_BNH = memory.asked(states_BNH)
        kept = [
            own[0].extended(states_NH)
            for own, states_NH in zip(places, states_BNH, strict=True)
        ]
        what_BNI = memory.recalled(
            asked_BNH, [one.rows for one in kept], grown.contexts
        )
        read_BNH = memory.value(encoder.scaled(what_BNI))
        if min(grown.starts) == 0:
            read_BNH = read_BNH * (grown.positions > 0)[..., None]
        features_BNH = torch.cat([states_BNH, read_BNH], dim=2)
        return Advanced(features_BNH, now_BS, [(one,) for one in kept])


class HierarchicalStep(EncoderStep):
    """Keeps the states within the chunk and those over the chunks that have ended."""

    def __init__(self, encoder: HierarchicalEncoder) -> None:
        """Take an encoder in evaluation mode."""
        self._encoder = encoder
        self._num_within = _num_states(encoder.within)
        self.num_now = self._num_within + _num_states(encoder.over)

    def advance(
        self, grown: Grown, now_BS: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Advanced:
        """Read the new vectors, as many at a time as no chunk ends among."""
        encoder, size = self._encoder, self._encoder.chunk_size
        inputs_BND = encoder.scaled(grown.newest)
        within_BS = now_BS[:, : self._num_within]
        over_BS = now_BS[:, self._num_within :]
        done, features = 0, []
        while done < grown.num_new:
            # in numbers and not in tensors: most steps begin no chunk and end none
            phases = [(start + done) % size for start in grown.starts]
            num = min(grown.num_new - done, size - max(phases))
            if min(phases) == 0:
                is_new_B1 = torch.tensor(phases, device=within_BS.device)[:, None] == 0
                within_BS = torch.where(is_new_B1, 0.0, within_BS)
            piece_BND = inputs_BND[:, done : done + num]
            state_BNH, within_BS = _run(encoder.within, piece_BND, within_BS)
            # a chunk sees the chunks before it, through the last layer over them
            before_BNH = over_BS[:, None, -encoder.over.hidden_size :]
            before_BNH = before_BNH.expand_as(state_BNH)
            features.append(torch.cat([state_BNH, before_BNH], dim=2))
            done += num
            if max(phases) + num == size:
                phase_B1 = torch.tensor(phases, device=over_BS.device)[:, None]
                _, after_BS = _run(encoder.over, state_BNH[:, -1:], over_BS)
                over_BS = torch.where(phase_B1 + num == size, after_BS, over_BS)
        now_BS = torch.cat([within_BS, over_BS], dim=1)
        return Advanced(torch.cat(features, dim=1), now_BS, [() for _ in places])


class NoStep(EncoderStep):
    """Keeps nothing, and knows nothing: features that are all weighed by 0."""

    num_now = 0

    def __init__(self, encoder: Encoder) -> None:
        """Take the encoder that is not run."""
        self._num_features = encoder.num_features

    def advance(
        self, grown: Grown, now_BS: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Advanced:
        """Return zeros."""
        shape = (len(now_BS), grown.num_new, self._num_features)
        return Advanced(now_BS.new_zeros(shape), now_BS, [() for _ in places])


def step_of(encoder: Encoder) -> EncoderStep | None:
    """Return the step form of an encoder, None where there is none."""
    made = _STEPS.get(type(encoder))
    return None if made is None else made(encoder)  # type: ignore[arg-type]


_STEPS: Final[
    Mapping[
        type[Encoder],
        type[BaselineStep] | type[MemoryStep] | type[HierarchicalStep],
    ]
] = {
    BaselineEncoder: BaselineStep,
    MemoryEncoder: MemoryStep,
    HierarchicalEncoder: HierarchicalStep,
}


def _num_states(gru: nn.GRU) -> int:
    return gru.num_layers * gru.hidden_size


def _run(gru: nn.GRU, inputs_BND: Tensor, now_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Run recurrent layers on; the states of all layers of a context are one row."""
    state_LBH = now_BS.unflatten(1, (gru.num_layers, -1)).transpose(0, 1).contiguous()
    out_BNH, state_LBH = gru(inputs_BND, state_LBH)
    return out_BNH, state_LBH.transpose(0, 1).flatten(1)
