"""A model by the step: the state of a context, a new vector, and what comes next.

The same predictions as `NextVectorModel.predict` gives whole contexts, up to rounding,
at the price of the new vectors alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from nextvec.training.models.closed_form import SequenceMemory
from nextvec.training.models.encoder_steps import EncoderStep, Grown, NoStep, step_of
from nextvec.training.models.head import DeltaHead
from nextvec.training.models.items import ItemHead
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.prediction import Prediction


@dataclass(frozen=True, slots=True)
class State:
    """What a model keeps of a context; never changed, a step makes a new one."""

    length: int
    """Vectors of the context, T."""

    now: Tensor
    """Kept of the context as a whole, shape ``(S,)``."""

    places: tuple[Tensor, ...]
    """Kept of each position, each ``(T, F)``."""

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, in bytes."""
        return sum(one.nbytes for one in (self.now, *self.places))


class Stepping:
    """The step form of one model."""

    def __init__(self, model: NextVectorModel, encoder: EncoderStep) -> None:
        """Put it together; `of` knows whether there is one.

        Args:
            model: in evaluation mode.
            encoder: the step form of its encoder.
        """
        self._model, self._encoder = model, encoder
        sizes = list(encoder.place_sizes)
        copying, base = model.copying, model.config.base
        self._has_keys = copying is not None and copying.key is not None
        if copying is not None and copying.key is not None:
            sizes.append(copying.key.out_features)
        self._memory = base.memory if model.items is None else None
        if self._memory is not None:
            sizes.append(model.config.dim)
        self._place_sizes = tuple(sizes)

    @classmethod
    def of(cls, model: NextVectorModel) -> Self | None:
        """Return the step form of a model, None where there is none.

        A network that reads similarities has none: they are seen from the newest
        vector, so that each new one changes every input. Nor have the architectures
        that are there to compare with.
        """
        if not model.is_run:
            return cls(model, NoStep(model.encoder))
        encoder = step_of(model.encoder)
        if encoder is None or model.config.weighs_places:
            return None
        return cls(model, encoder)

    def start(self) -> State:
        """Return the state of no vectors at all."""
        weight = next(self._model.parameters())
        return State(
            length=0,
            now=weight.new_zeros(self._encoder.num_now),
            places=tuple(weight.new_zeros((0, size)) for size in self._place_sizes),
        )

    def state_bytes(self, length: int) -> int:
        """Return what the state of so many vectors takes, in bytes."""
        return 4 * (self._encoder.num_now + length * sum(self._place_sizes))

    @torch.inference_mode()
    def step(
        self, states: Sequence[State], contexts: Sequence[Tensor]
    ) -> tuple[list[State], Prediction]:
        """Predict after some contexts that have grown, all by as many vectors.

        Args:
            states: before they have.
            contexts: whole and with the new vectors, each ``(T, D)``.

        Returns:
            The states after it, and one prediction for each; without rows.

        Raises:
            ValueError: one has not grown, or not by as many as the others.
        """
        grown = _grown(states, contexts)
        kept = [
            pad_sequence([state.places[which] for state in states], batch_first=True)
            for which in range(len(self._place_sizes))
        ]
        now_BS = torch.stack([state.now for state in states])
        num_own = len(self._encoder.place_sizes)
        advanced = self._encoder.advance(grown, now_BS, tuple(kept[:num_own]))
        features_BNH, places = advanced.features, list(advanced.places)
        copying = self._model.copying
        if copying is not None and copying.key is not None:
            places.append(grown.placed(kept[num_own], copying.key(features_BNH)))
        if self._memory is not None:
            means_BND = _means(self._memory, grown)
            places.append(grown.placed(kept[-1], means_BND))
        after = [
            State(
                length=len(context),
                now=advanced.now[at].clone(),
                # a view would keep the whole batch in memory
                places=tuple(place[at, : len(context)].clone() for place in places),
            )
            for at, context in enumerate(contexts)
        ]
        return after, self._predict(grown, features_BNH[:, -1:], places)

    def _predict(
        self, grown: Grown, features_B1H: Tensor, places: Sequence[Tensor]
    ) -> Prediction:
        model, context_BTD, last_B1 = self._model, grown.contexts, grown.last
        if isinstance(model.head, ItemHead):
            copies_BT = None
            if model.copying is not None:
                key_BTK = places[-1] if self._has_keys else None
                copies_BT = model.copying.weigh(
                    context_BTD, features_B1H, key_BTK, last_B1
                )[:, 0]
            return Prediction(model.head(features_B1H)[:, 0], copies_BT)
        base = model.config.base
        base_B1D = base.mean_at(context_BTD, last_B1)
        if self._memory is not None:
            mean_BTD = places[-1]
            weight_B1S = self._memory.weigh(
                grown.new_of(mean_BTD)[:, -1:], mean_BTD, last_B1
            )
            base_B1D = base_B1D + self._memory.gain * weight_B1S @ context_BTD[:, 1:]
        if isinstance(model.head, DeltaHead) and model.is_run:
            found_B1D = model.head.change(base_B1D, context_BTD, features_B1H, last_B1)
            return Prediction(found_B1D[:, 0])
        return Prediction(normalize(base_B1D[:, 0], dim=-1))


def _grown(states: Sequence[State], contexts: Sequence[Tensor]) -> Grown:
    added = {
        len(context) - state.length
        for state, context in zip(states, contexts, strict=True)
    }
    num_new = added.pop()
    if added or num_new < 1:
        msg = f"expected all to grow by as many vectors, at least 1, got {num_new}"
        raise ValueError(msg)
    context_BTD = pad_sequence(list(contexts), batch_first=True)
    lengths = [state.length for state in states]
    start_B = torch.tensor(lengths, device=context_BTD.device)
    return Grown(context_BTD, start_B, num_new)


def _means(memory: SequenceMemory, grown: Grown) -> Tensor:
    """Return the states of a memory at the new positions, shape ``(B, N, D)``."""
    return memory.states_at(grown.contexts, grown.positions)
