"""The loss, on the reconstructed unit vector and against a bank of real negatives."""

import torch
from torch import Tensor

from nextvec.training.config import LossWeights
from nextvec.training.models.prediction import NEVER


def mixed_loss(
    prediction_PD: Tensor,
    target_PD: Tensor,
    target_group_P: Tensor,
    bank_ND: Tensor,
    bank_group_N: Tensor,
    weights: LossWeights,
    own_cosine_PE: Tensor | None = None,
) -> Tensor:
    """``mse * mean((p - y)^2) + cosine * (1 - cos(p, y)) + infonce * InfoNCE``.

    For unit vectors the first is the second times 2 / D: both are kept because
    recipes name both.

    Args:
        prediction_PD: unit rows.
        target_PD: unit rows, the vector after each.
        target_group_P: duplicate group of each target.
        bank_ND: unit rows of training documents, the negatives of every position.
        bank_group_N: duplicate group of each; a negative of the target's own group is
            masked, since it is no negative.
        weights: weight of each term.
        own_cosine_PE: cosines with further negatives of each position's own, -infinity
            where it has fewer; None for none.

    Returns:
        The mean over positions, a scalar.
    """
    cosine_P = (prediction_PD * target_PD).sum(dim=-1)
    loss = weights.cosine * (1 - cosine_P).mean()
    if weights.mse:
        loss = loss + weights.mse * (prediction_PD - target_PD).square().mean()
    if weights.infonce:
        log_p_P = _log_probability(
            prediction_PD,
            cosine_P,
            target_group_P,
            bank_ND,
            bank_group_N,
            weights.temperature,
            own_cosine_PE,
        )
        contrast_P = generalized_cross_entropy(log_p_P, weights.gce_q)
        loss = loss + weights.infonce * contrast_P.mean()
    return loss


def generalized_cross_entropy(log_p_P: Tensor, q: float) -> Tensor:
    """``(1 - p^q) / q``; its limit at ``q = 0`` is ``-log p``.

    Zhang & Sabuncu 2018 (https://arxiv.org/abs/1805.07836). Plain InfoNCE pays for
    targets that are out of reach, and Hit@K falls while its loss does.

    Example:
        >>> generalized_cross_entropy(torch.tensor([0.0, -1.0]), 0.0).tolist()
        [-0.0, 1.0]
    """
    if q == 0:
        return -log_p_P
    return -torch.expm1(q * log_p_P) / q


def _log_probability(
    prediction_PD: Tensor,
    cosine_P: Tensor,
    target_group_P: Tensor,
    bank_ND: Tensor,
    bank_group_N: Tensor,
    temperature: float,
    own_cosine_PE: Tensor | None,
) -> Tensor:
    """Log of the softmax share that the target has among itself and the negatives."""
    score_PN = prediction_PD @ bank_ND.T / temperature
    position, column = same_group(target_group_P, bank_group_N)
    score_PN[position, column] = -torch.inf
    target_P = cosine_P / temperature
    others_P = torch.logsumexp(score_PN, dim=1)
    if own_cosine_PE is not None:
        # a finite floor: a position without any own negative would get a NaN gradient
        own_PE = (own_cosine_PE / temperature).clamp(min=NEVER)
        others_P = torch.logaddexp(others_P, torch.logsumexp(own_PE, dim=1))
    return target_P - torch.logaddexp(target_P, others_P)


def same_group(target_group_P: Tensor, bank_group_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return pairs of a position and a row of the bank that are the same thing.

    Looked up in sorted order: comparing every target with every row would cost as
    much memory as the scores.
    """
    ordered_N, order_N = torch.sort(bank_group_N)
    low_P = torch.searchsorted(ordered_N, target_group_P)
    high_P = torch.searchsorted(ordered_N, target_group_P, right=True)
    count_P = high_P - low_P
    position = torch.repeat_interleave(count_P)
    # place of each pair within its own position's run
    first = torch.cumsum(count_P, 0) - count_P
    place = torch.arange(len(position), device=position.device) - first[position]
    return position, order_N[low_P[position] + place]
