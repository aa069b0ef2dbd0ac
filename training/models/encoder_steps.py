"""Encoders by the step: what each keeps of a context, and what new vectors change."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from nextvec.training.models.baseline import BaselineEncoder
from nextvec.training.models.encoders import Encoder
from nextvec.training.models.hierarchical import HierarchicalEncoder
from nextvec.training.models.memory import MemoryEncoder


@dataclass(frozen=True, slots=True)
class Grown:
    """Some contexts, and the vectors that each has just got: as many to each."""

    contexts: Tensor
    """The new vectors included, padded at the end; shape ``(B, T, D)``."""

    starts: Tensor
    """Where in each the new vectors begin."""

    num_new: int
    """How many they are."""

    @property
    def positions(self) -> Tensor:
        """Positions of the new vectors."""
        steps_N = torch.arange(self.num_new, device=self.starts.device)
        return self.starts[:, None] + steps_N

    @property
    def last(self) -> Tensor:
        """Position of the newest vector of each."""
        return self.starts[:, None] + self.num_new - 1

    def new_of(self, all_BTF: Tensor) -> Tensor:
        """Return what stands at the new positions, shape ``(B, N, F)``."""
        if len(all_BTF) == 1:
            return all_BTF[:, -self.num_new :]
        index_BN1 = self.positions[..., None]
        return all_BTF.gather(1, index_BN1.expand(-1, -1, all_BTF.shape[2]))

    def placed(self, kept_BTF: Tensor, new_BNF: Tensor) -> Tensor:
        """Return what is kept of all positions: of the old ones, and of the new.

        Args:
            kept_BTF: of the old ones, padded at the end.
            new_BNF: of the new ones.
        """
        if len(kept_BTF) == 1:
            return torch.cat([kept_BTF, new_BNF], dim=1)
        size, width = new_BNF.shape[2], self.contexts.shape[1]
        all_BTF = new_BNF.new_zeros((len(new_BNF), width, size))
        all_BTF[:, : kept_BTF.shape[1]] = kept_BTF
        index_BN1 = self.positions[..., None]
        return all_BTF.scatter_(1, index_BN1.expand(-1, -1, size), new_BNF)


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an encoder knows after some new vectors."""

    features: Tensor
    """At each of the new positions."""

    now: Tensor
    """What it keeps of a context as a whole."""

    places: tuple[Tensor, ...] = ()
    """What it keeps of each position, all of them; each ``(B, T, F)``."""


class EncoderStep(ABC):
    """Base of the step forms: the same features as the encoder's, from what is kept."""

    num_now: int
    """Numbers it keeps of a context as a whole, S."""

    place_sizes: tuple[int, ...] = ()
    """Numbers it keeps of each position, F, for each thing that it keeps."""

    @abstractmethod
    def advance(
        self, grown: Grown, now_BS: Tensor, places: tuple[Tensor, ...]
    ) -> Advanced:
        """Read the new vectors.

        Args:
            grown: the contexts.
            now_BS: what was kept of each as a whole; zeros at the start.
            places: what was kept of each old position, each ``(B, T, F)``.
        """


class BaselineStep(EncoderStep):
    """Keeps the states of the recurrent layers."""

    def __init__(self, encoder: BaselineEncoder) -> None:
        """Take an encoder in evaluation mode."""
        self._encoder = encoder
        self.num_now = _num_states(encoder.gru)

    def advance(
        self, grown: Grown, now_BS: Tensor, places: tuple[Tensor, ...]
    ) -> Advanced:
        """Read the new vectors."""
        del places
        inputs_BND = grown.new_of(grown.contexts) * self._encoder.scale
        return Advanced(*_run(self._encoder.gru, inputs_BND, now_BS))


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
        self, grown: Grown, now_BS: Tensor, places: tuple[Tensor, ...]
    ) -> Advanced:
        """Read the new vectors."""
        encoder, memory = self._encoder, self._encoder.memory
        new_BND = grown.new_of(grown.contexts) * encoder.scale
        states_BNH, now_BS = _run(encoder.gru, new_BND, now_BS)
        states_BTH = grown.placed(places[0], states_BNH)
        asked_BNH = memory.query(states_BNH) @ memory.key.weight
        asked_BNH = asked_BNH / states_BTH.shape[2] ** 0.5
        score_BNS = asked_BNH @ states_BTH[:, :-1].transpose(1, 2)
        place_S = torch.arange(score_BNS.shape[2], device=score_BNS.device)
        is_past_BNS = place_S < grown.positions[..., None]
        # the first position has no past: softmax of nothing but -inf would be NaN
        score_BNS = score_BNS.masked_fill(~is_past_BNS, -1e30)
        weight_BNS = torch.softmax(score_BNS, dim=2) * is_past_BNS
        what_BND = weight_BNS @ grown.contexts[:, 1:] * encoder.scale
        has_past_BN1 = (grown.positions > 0)[..., None]
        read_BNH = memory.value(what_BND) * has_past_BN1
        features_BNH = torch.cat([states_BNH, read_BNH], dim=2)
        return Advanced(features_BNH, now_BS, (states_BTH,))


class HierarchicalStep(EncoderStep):
    """Keeps the states within the chunk and those over the chunks that have ended."""

    def __init__(self, encoder: HierarchicalEncoder) -> None:
        """Take an encoder in evaluation mode."""
        self._encoder = encoder
        self._num_within = _num_states(encoder.within)
        self.num_now = self._num_within + _num_states(encoder.over)

    def advance(
        self, grown: Grown, now_BS: Tensor, places: tuple[Tensor, ...]
    ) -> Advanced:
        """Read the new vectors, as many at a time as no chunk ends among."""
        del places
        encoder, size = self._encoder, self._encoder.chunk_size
        inputs_BND = grown.new_of(grown.contexts) * encoder.scale
        within_BS = now_BS[:, : self._num_within]
        over_BS = now_BS[:, self._num_within :]
        done, features = 0, []
        while done < grown.num_new:
            phase_B1 = (grown.starts[:, None] + done) % size
            num = min(grown.num_new - done, size - int(phase_B1.max()))
            within_BS = torch.where(phase_B1 == 0, 0.0, within_BS)
            piece_BND = inputs_BND[:, done : done + num]
            state_BNH, within_BS = _run(encoder.within, piece_BND, within_BS)
            # a chunk sees the chunks before it, through the last layer over them
            before_BNH = over_BS[:, None, -encoder.over.hidden_size :]
            features.append(
                torch.cat([state_BNH, before_BNH.expand_as(state_BNH)], dim=2)
            )
            done += num
            ends_B1 = phase_B1 + num == size
            if bool(ends_B1.any()):
                _, after_BS = _run(encoder.over, state_BNH[:, -1:], over_BS)
                over_BS = torch.where(ends_B1, after_BS, over_BS)
        now_BS = torch.cat([within_BS, over_BS], dim=1)
        return Advanced(torch.cat(features, dim=1), now_BS)


class NoStep(EncoderStep):
    """Keeps nothing, and knows nothing: features that are all weighed by 0."""

    num_now = 0

    def __init__(self, encoder: Encoder) -> None:
        """Take the encoder that is not run."""
        self._num_features = encoder.num_features

    def advance(
        self, grown: Grown, now_BS: Tensor, places: tuple[Tensor, ...]
    ) -> Advanced:
        """Return zeros."""
        del places
        shape = (len(now_BS), grown.num_new, self._num_features)
        return Advanced(now_BS.new_zeros(shape), now_BS)


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
