"""Predicting for more contexts than should be in memory at once."""

from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]
"""Contexts ``(B, T, D)``, padded at the end, and lengths ``(B,)``, to ``(B, D)``."""


def predict_in_blocks(
    predict: Predict, context_QTD: Tensor, length_Q: Tensor, *, block: int
) -> Tensor:
    """Predict for many contexts, a block at a time.

    Args:
        predict: for one block.
        context_QTD: padded at the end.
        length_Q: vectors in each context.
        block: contexts at a time.

    Returns:
        Shape ``(Q, D)``.
    """
    blocks = zip(context_QTD.split(block), length_Q.split(block), strict=True)
    return torch.cat([predict(context, length) for context, length in blocks])
