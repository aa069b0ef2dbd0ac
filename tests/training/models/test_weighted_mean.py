"""Means of what came before, by how long ago it was."""

import torch

from nextvec.training.models.weighted_mean import mean_weights


def test_weights_asked_for_in_inference_mode_serve_training_too() -> None:
    mean_weights.cache_clear()
    with torch.inference_mode():
        weights_TT = mean_weights(7, (0.3,), (1.0,))

    assert not weights_TT.is_inference()
    assert mean_weights(7, (0.3,), (1.0,)) is weights_TT
