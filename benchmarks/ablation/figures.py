"""Figures that Hit@K does not show: what a network's answers and memory are like."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from benchmarks.ablation.networks import OriginalGRU


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """What a memory has become."""

    slot_cosine: float
    """Mean cosine between two different slots; 1 if all are the same vector."""

    attention_entropy: float
    """Entropy of the attention as a share of that of a uniform one, in [0, 1]."""

    read_variance: float
    """Variance of the reads over inputs, as a share of their mean squared length."""

    pass_difference: float
    """Greatest difference of a component between two passes of the same input in
    training, another batch between them and dropout off; 0 if no state leaks."""


def mean_pairwise_cosine(rows_ND: Tensor) -> float:
    """Mean cosine between two different rows; 1 if all point the same way.

    Example:
        >>> mean_pairwise_cosine(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        0.0
    """
    unit_ND = normalize(rows_ND.double(), dim=-1)
    n = len(unit_ND)
    total = unit_ND.sum(dim=0).square().sum() - unit_ND.square().sum()
    return float(total / max(1, n * (n - 1)))


def change_cosine(change_QD: Tensor, last_QD: Tensor, target_QD: Tensor) -> float:
    """Mean cosine between a said change and the true one; 0 where there is none.

    Example:
        >>> last, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> round(change_cosine(-last, last, target), 4)
        0.7071
    """
    return float(cosine_similarity(change_QD, target_QD - last_QD).mean())


@torch.no_grad()
def memory_figures(
    network: OriginalGRU, context_QTD: Tensor, other_BTD: Tensor
) -> MemoryFigures | None:
    """Measure a network's memory.

    Args:
        network: left unchanged.
        context_QTD: inputs to read with, shape ``(Q, T, D)``.
        other_BTD: the batch between two passes.

    Returns:
        The figures; None for a network without a memory.
    """
    network = copy.deepcopy(network).eval()
    memory = network.memory
    if memory is None:
        return None
    state_QH = network.state(context_QTD)
    weight_QR = memory.attention(state_QH)
    entropy = -(weight_QR * weight_QR.clamp(min=1e-30).log()).sum(dim=-1).mean()
    read_QD = memory(state_QH)
    spread = (read_QD - read_QD.mean(dim=0)).square().sum(dim=-1).mean()
    length = read_QD.square().sum(dim=-1).mean()
    slot_cosine = mean_pairwise_cosine(memory.contents())
    # only what is written in training may differ: dropout stays off
    memory.train()
    first_QD = network(context_QTD).prediction
    network(other_BTD)
    again_QD = network(context_QTD).prediction
    return MemoryFigures(
        slot_cosine=slot_cosine,
        attention_entropy=float(entropy) / math.log(weight_QR.shape[1]),
        read_variance=float(spread / length.clamp(min=1e-30)),
        pass_difference=float((first_QD - again_QD).abs().max()),
    )
