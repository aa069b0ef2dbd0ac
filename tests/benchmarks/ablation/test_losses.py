import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from benchmarks.ablation.figures import change_cosine
from benchmarks.ablation.losses import original_loss
from benchmarks.ablation.networks import Answer
from benchmarks.ablation.variants import Variant

ON_CHANGE = Variant(name="change", about="")
ON_VECTOR = replace(ON_CHANGE, loss_on="vector")


def unit(number: int, dim: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(number, dim, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn, dim=-1)


@pytest.mark.parametrize("cosine", [0.0, 0.4, 0.8])
def test_minus_the_last_vector_has_the_cosine_that_geometry_gives_it(
    cosine: float,
) -> None:
    last, side = torch.eye(2)[:1], torch.eye(2)[1:]
    target = cosine * last + math.sqrt(1 - cosine**2) * side

    found = change_cosine(-last, last, target)

    assert found == pytest.approx(math.sqrt((1 - cosine) / 2), abs=1e-6)


def test_the_loss_on_the_change_likes_an_answer_that_predicts_nothing() -> None:
    last, target = unit(16, 64, 0), unit(16, 64, 1)
    skilless = Answer(-last, normalize(last - 0.99 * last, dim=-1))
    blind = Answer(unit(16, 64, 2), unit(16, 64, 3))

    loss = original_loss(skilless, last, target, ON_CHANGE)

    assert loss < original_loss(blind, last, target, ON_CHANGE)
    # the change to the target holds minus the last vector: InfoNCE finds it
    mse_only = replace(ON_CHANGE, contrast=0.0)
    contrast = (loss - original_loss(skilless, last, target, mse_only)) / 0.1
    assert contrast < math.log(16) / 4


def test_a_constant_answer_has_the_infonce_of_chance() -> None:
    last, target = unit(16, 64, 0), unit(16, 64, 1)
    constant = unit(1, 64, 2).expand(16, -1)

    with_contrast = original_loss(Answer(constant, constant), last, target, ON_VECTOR)
    without = original_loss(
        Answer(constant, constant), last, target, replace(ON_VECTOR, contrast=0.0)
    )

    assert float(with_contrast - without) / 0.1 == pytest.approx(math.log(16), rel=0.8)


def test_a_perfect_answer_costs_only_what_chance_likenesses_leave() -> None:
    last, target = unit(4, 64, 0), torch.eye(64)[:4]

    loss = original_loss(Answer(target - last, target), last, target, ON_VECTOR)
    squared = replace(ON_VECTOR, terms="squared error")

    assert loss < 1e-4
    assert original_loss(Answer(target - last, target), last, target, squared) == 0


def test_the_weights_are_those_of_the_code() -> None:
    last, target = torch.eye(4)[:1], torch.eye(4)[1:2]
    answer = Answer(torch.eye(4)[2:3], torch.eye(4)[2:3])

    loss = original_loss(answer, last, target, ON_VECTOR)

    # alone in its batch there is nothing to contrast with: mse 2 / 4, cosine 0
    assert float(loss) == pytest.approx(0.5 + 0.25)
