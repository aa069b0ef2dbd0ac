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

from nextvec.training.models.encoder_steps import EncoderStep, NoStep, step_of
from nextvec.training.models.growing import Grown, Kept, padded
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

    places: tuple[Kept, ...]
    """Kept of each position, each ``(T, F)``."""

    @property
    def size_bytes(self) -> int:
        """What it takes in memory with the room to grow, in bytes."""
        return self.now.nbytes + sum(one.size_bytes for one in self.places)


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
            places=tuple(
                Kept.of(weight.new_zeros((0, size))) for size in self._place_sizes
            ),
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
        grown = Grown(contexts, [state.length for state in states])
        now_BS = torch.stack([state.now for state in states])
        kept = [state.places for state in states]
        advanced = self._encoder.advance(grown, now_BS, kept)
        places = advanced.places
        copying = self._model.copying
        if copying is not None and copying.key is not None:
            key_BNK = copying.key(advanced.features)
            places = _with_last(places, kept, key_BNK)
        if self._memory is not None:
            # one by one: to pad what is kept of all would cost more than the products
            mean_BND = torch.cat(
                [
                    self._memory.states_at(context_TD[None], position_N[None])
                    for context_TD, position_N in zip(
                        contexts, grown.positions, strict=True
                    )
                ]
            )
            places = _with_last(places, kept, mean_BND)
        after = [
            # a view would keep what all of the batch know in memory
            State(length=state.length + grown.num_new, now=now_S.clone(), places=own)
            for state, now_S, own in zip(states, advanced.now, places, strict=True)
        ]
        return after, self._predict(grown, advanced.features[:, -1:], places)

    def _predict(
        self, grown: Grown, features_B1H: Tensor, places: Sequence[tuple[Kept, ...]]
    ) -> Prediction:
        model = self._model
        if isinstance(model.head, ItemHead):
            copies_BT = None
            if model.copying is not None:
                has_keys = model.copying.key is not None
                keys = [own[-1].rows for own in places] if has_keys else None
                copies_BT = model.copying.weigh_newest(
                    grown.contexts, features_B1H, keys
                )
            return Prediction(model.head(features_B1H)[:, 0], copies_BT)
        base_B1D = torch.cat(
            [
                self._base(own, context_TD)
                for own, context_TD in zip(places, grown.contexts, strict=True)
            ]
        )
        if isinstance(model.head, DeltaHead) and model.is_run:
            newest = [one[-model.config.num_lags :] for one in grown.contexts]
            last_B1 = grown.last.clamp(max=model.config.num_lags - 1)
            base_B1D = model.head.change(
                base_B1D, padded(newest), features_B1H, last_B1
            )
        return Prediction(normalize(base_B1D[:, 0], dim=-1))

    def _base(self, own: tuple[Kept, ...], context_TD: Tensor) -> Tensor:
        """Return the closed form of one context, shape ``(1, 1, D)``."""
        last_11 = torch.tensor([[len(context_TD) - 1]], device=context_TD.device)
        mean_11D = self._model.config.base.mean_at(context_TD[None], last_11)
        if self._memory is None:
            return mean_11D
        state_1TD = own[-1].rows[None]
        cosine_11S = state_1TD[:, -1:] @ state_1TD[:, :-1].transpose(1, 2)
        weight_11S = self._memory.weigh(cosine_11S, last_11)
        return mean_11D + self._memory.gain * (weight_11S @ context_TD[1:])


def _with_last(
    places: Sequence[tuple[Kept, ...]],
    before: Sequence[tuple[Kept, ...]],
    new_BNF: Tensor,
) -> list[tuple[Kept, ...]]:
    """Add the next thing that is kept of each position: what was, and the new rows."""
    return [
        (*own, old[len(own)].extended(new_NF))
        for own, old, new_NF in zip(places, before, new_BNF, strict=True)
    ]
