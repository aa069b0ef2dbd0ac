"""The loss of the original project's trainer, with the negatives of the batch."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss, normalize

from benchmarks.ablation.networks import Answer
from benchmarks.ablation.variants import Variant

_TEMPERATURE = 0.07
_COSINE = 0.25
# The original's code halves 1 - cosine, and its weight of .5 halves it again.


def original_loss(
    answer: Answer, last_BD: Tensor, target_BD: Tensor, variant: Variant
) -> Tensor:
    """``mse + .25 (1 - cos) + contrast * InfoNCE``, on the change or on the vector.

    Args:
        answer: what the network says.
        last_BD: last vector of each context, unit rows.
        target_BD: the vector after it, unit rows; in the contrastive term the other
            rows of the batch are the negatives.
        variant: says which terms, and on what.

    Returns:
        A scalar.
    """
    said_BD, true_BD = answer.prediction, target_BD
    if variant.loss_on == "change":
        said_BD = normalize(answer.change, dim=-1)
        true_BD = normalize(target_BD - last_BD, dim=-1)
    squared = mse_loss(said_BD, true_BD)
    if variant.terms == "squared error":
        return squared
    cosine = (said_BD * true_BD).sum(dim=-1).mean()
    each_B = torch.arange(len(said_BD), device=said_BD.device)
    contrast = cross_entropy(said_BD @ true_BD.T / _TEMPERATURE, each_B)
    return squared + _COSINE * (1 - cosine) + variant.contrast * contrast
