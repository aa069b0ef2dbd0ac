"""The closed form that every network starts from: a mean, and a memory of the context.

Nothing in it is learned by gradient: validation chooses its few numbers.
"""

from typing import Annotated, Self

import torch
from pydantic import Field, PositiveFloat, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.checked import CHECKED
from nextvec.training.models.weighted_mean import weighted_mean_at

_Rate = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class SequenceMemory:
    """What followed the states of a context that were like its newest one.

    The state at a position is the exponentially weighted mean up to it. A kernel and no
    softmax: where no earlier state is alike, nothing is remembered. It is the cache of
    Grave et al. 2016 (https://arxiv.org/abs/1612.04426) with vectors instead of words.
    """

    rate: _Rate = 0.7
    """Rate of the mean that is a state; 1 is the last vector."""

    tau: PositiveFloat = 0.03
    """How fast a state counts less, the less it is alike: by
    ``exp((cosine - 1) / tau)``."""

    gain: PositiveFloat = 0.8
    """How much what is remembered counts beside the mean, which has length 1."""

    cap: PositiveFloat = 0.003
    """Below this sum of weights the memory fades instead of being scaled up."""

    def recall_at(self, context_BTD: Tensor, position_BP: Tensor) -> Tensor:
        """Return what is remembered at some positions, before the gain.

        Causal: position t knows the states before t, and what followed them up to t.

        Args:
            context_BTD: shape ``(B, T, D)``; left unchanged.
            position_BP: positions, 0 to ``T - 1``.

        Returns:
            Shape ``(B, P, D)``, of length at most 1 for unit vectors; zeros at
            position 0, which has no past.
        """
        return self.weights_at(context_BTD, position_BP) @ context_BTD[:, 1:]

    def weights_at(self, context_BTD: Tensor, position_BP: Tensor) -> Tensor:
        """Return how much each earlier state counts at some positions.

        Args:
            context_BTD: shape ``(B, T, D)``; left unchanged.
            position_BP: positions, 0 to ``T - 1``.

        Returns:
            Shape ``(B, P, T - 1)``; rows sum to at most 1, zeros for what is not past.
        """
        position_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
        state_BTD = self.states_at(context_BTD, position_T.expand(len(context_BTD), -1))
        index_BPD = position_BP[..., None].expand(-1, -1, state_BTD.shape[-1])
        query_BPD = state_BTD.gather(1, index_BPD)
        return self.weigh(query_BPD @ state_BTD[:, :-1].transpose(1, 2), position_BP)

    def states_at(self, context_BTD: Tensor, position_BP: Tensor) -> Tensor:
        """Return the states at some positions, unit vectors of shape ``(B, P, D)``."""
        mean_BPD = weighted_mean_at(context_BTD, position_BP, (self.rate,), (1.0,))
        return normalize(mean_BPD, dim=-1)

    def weigh(self, cosine_BPS: Tensor, position_BP: Tensor) -> Tensor:
        """Like `weights_at`, from the cosines of states, shape ``(B, P, T - 1)``."""
        place_S = torch.arange(cosine_BPS.shape[-1], device=cosine_BPS.device)
        weight_BPS = torch.exp((cosine_BPS - 1) / self.tau)
        weight_BPS = weight_BPS * (place_S < position_BP[..., None])
        total_BP1 = weight_BPS.sum(dim=-1, keepdim=True).clamp(min=self.cap)
        return weight_BPS / total_BP1


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class ClosedForm:
    """A sum of weighted means of the context, and what its memory adds to it."""

    rates: tuple[_Rate, ...] = (0.5,)
    """Rates of the exponentially weighted means, each in (0, 1]; a rate of 1 is the
    last vector."""

    weights: tuple[float, ...] = (1.0,)
    """Weight of each of these means; they sum to 1."""

    memory: SequenceMemory | None = None
    """None remembers nothing."""

    @model_validator(mode="after")
    def _is_a_mean(self) -> Self:
        if len(self.rates) != len(self.weights) or not self.rates:
            msg = f"{len(self.rates)} rates but {len(self.weights)} weights"
            raise ValueError(msg)
        if abs(sum(self.weights) - 1) > 1e-6:
            msg = f"weights must sum to 1, got {self.weights}"
            raise ValueError(msg)
        return self

    def at(self, context_BTD: Tensor, position_BP: Tensor) -> Tensor:
        """Predict after some positions, not normalized: a network's change is added.

        Args:
            context_BTD: shape ``(B, T, D)``; left unchanged.
            position_BP: positions, 0 to ``T - 1``.

        Returns:
            Shape ``(B, P, D)``: the mean, of length 1, plus what is remembered.
        """
        mean_BPD = self.mean_at(context_BTD, position_BP)
        if self.memory is None:
            return mean_BPD
        recalled_BPD = self.memory.recall_at(context_BTD, position_BP)
        return mean_BPD + self.memory.gain * recalled_BPD

    def mean_at(self, context_BTD: Tensor, position_BP: Tensor) -> Tensor:
        """Return the mean alone at some positions, unit vectors ``(B, P, D)``."""
        mean_BPD = weighted_mean_at(context_BTD, position_BP, self.rates, self.weights)
        return normalize(mean_BPD, dim=-1)
