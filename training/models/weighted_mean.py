"""The closed-form base: a sum of exponentially weighted means of the context."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def weighted_mean_at(
    context_BTD: Tensor,
    position_BP: Tensor,
    rates: Sequence[float],
    weights: Sequence[float],
) -> Tensor:
    """Mean of the context up to some positions, the newest vectors weighing most.

    With one rate ``r`` the vector ``j`` steps back weighs ``r (1 - r)^j``, divided by
    the sum of these weights; a rate of 1 gives the last vector.

    Args:
        context_BTD: shape ``(B, T, D)``; left unchanged.
        position_BP: positions up to which the mean goes, 0 to ``T - 1``.
        rates: each in (0, 1].
        weights: how much each of these means counts.

    Returns:
        Shape ``(B, P, D)``, not normalized.

    Example:
        >>> context = torch.tensor([[[1.0], [3.0]]])
        >>> weighted_mean_at(context, torch.tensor([[1]]), [1.0], [1.0]).tolist()
        [[[3.0]]]
    """
    matrix_TT = mean_weights(context_BTD.shape[1], tuple(rates), tuple(weights))
    return matrix_TT.to(context_BTD)[position_BP] @ context_BTD


@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)
def mean_weights(
    length: int, rates: tuple[float, ...], weights: tuple[float, ...]
) -> Tensor:
    """Weights of `weighted_mean_at`: row ``t`` sums to 1 over columns 0 to ``t``.

    Whoever asks first may do so in inference mode, and training after it.

    Returns:
        Shape ``(T, T)``, lower triangular, float32, on the CPU; do not change it.
    """
    lag_TT = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    total_TT = torch.zeros(length, length, dtype=torch.float64)
    for rate, weight in zip(rates, weights, strict=True):
        decay_TT = (1 - rate) ** lag_TT.clamp(min=0).double()
        decay_TT = torch.where(lag_TT >= 0, decay_TT, 0.0)
        total_TT += weight * decay_TT / decay_TT.sum(dim=1, keepdim=True)
    return total_TT.float()
