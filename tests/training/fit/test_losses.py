import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.config import LossWeights
from nextvec.training.fit.losses import generalized_cross_entropy, mixed_loss


def weights(**told: float) -> LossWeights:
    fields = {"mse": 0, "cosine": 0, "infonce": 0, "temperature": 0.1, "gce_q": 0}
    return LossWeights(**(fields | told))


def unit(num: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(num, dim, generator=generator, dtype=torch.float64)
    return normalize(rows, dim=-1)


def slow_loss(
    prediction: np.ndarray,
    target: np.ndarray,
    target_group: list[int],
    bank: np.ndarray,
    bank_group: list[int],
    told: LossWeights,
    own_cosine: np.ndarray,
) -> float:
    losses = []
    for p, y, group, own_negatives in zip(
        prediction, target, target_group, own_cosine, strict=True
    ):
        mse = sum((a - b) ** 2 for a, b in zip(p, y, strict=True)) / len(p)
        cosine = 1 - sum(a * b for a, b in zip(p, y, strict=True))
        own = math.exp(float(p @ y) / told.temperature)
        total = own
        for row, other in zip(bank, bank_group, strict=True):
            if other != group:
                total += math.exp(float(p @ row) / told.temperature)
        for negative in own_negatives.tolist():
            if negative > -math.inf:
                total += math.exp(negative / told.temperature)
        share = own / total
        q = told.gce_q
        contrast = -math.log(share) if q == 0 else (1 - share**q) / q
        losses.append(told.mse * mse + told.cosine * cosine + told.infonce * contrast)
    return float(sum(losses) / len(losses))


@settings(max_examples=60)
@given(
    positions=st.integers(1, 6),
    negatives=st.integers(1, 9),
    dim=st.integers(2, 5),
    mse=st.sampled_from([0.0, 1.5]),
    cosine=st.sampled_from([0.0, 0.7]),
    infonce=st.sampled_from([0.0, 2.0]),
    temperature=st.floats(0.05, 2),
    gce_q=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_loss_agrees_with_a_slow_obvious_one(
    positions: int,
    negatives: int,
    dim: int,
    mse: float,
    cosine: float,
    infonce: float,
    temperature: float,
    gce_q: float,
    seed: int,
    data: st.DataObject,
) -> None:
    groups = st.integers(0, 4)
    target_group = data.draw(st.lists(groups, min_size=positions, max_size=positions))
    bank_group = data.draw(st.lists(groups, min_size=negatives, max_size=negatives))
    told = weights(
        mse=mse, cosine=cosine, infonce=infonce, temperature=temperature, gce_q=gce_q
    )
    prediction, target = unit(positions, dim, seed), unit(positions, dim, seed + 1)
    bank = unit(negatives, dim, seed + 2)

    own = data.draw(st.integers(0, 3))
    own_cosine = prediction @ unit(own, dim, seed + 3).T if own else None
    for position in range(positions if own else 0):
        masked = torch.tensor(
            data.draw(st.lists(st.booleans(), min_size=own, max_size=own))
        )
        assert own_cosine is not None
        own_cosine[position, masked] = -torch.inf

    fast = mixed_loss(
        prediction,
        target,
        torch.tensor(target_group),
        bank,
        torch.tensor(bank_group),
        told,
        own_cosine,
    )

    slow = slow_loss(
        prediction.numpy(),
        target.numpy(),
        target_group,
        bank.numpy(),
        bank_group,
        told,
        np.empty((positions, 0)) if own_cosine is None else own_cosine.numpy(),
    )
    assert float(fast) == pytest.approx(slow, rel=1e-6, abs=1e-9)


def test_a_duplicate_of_the_target_is_no_negative() -> None:
    prediction, bank = unit(1, 4, 0), unit(3, 4, 1)
    told = weights(infonce=1)
    args = (prediction, prediction, torch.tensor([7]))

    without = mixed_loss(*args, bank, torch.tensor([1, 2, 3]), told)
    twin_bank = torch.cat([bank, prediction, prediction])
    masked = mixed_loss(*args, twin_bank, torch.tensor([1, 2, 3, 7, 7]), told)
    unmasked = mixed_loss(*args, twin_bank, torch.tensor([1, 2, 3, 4, 5]), told)

    assert float(masked) == pytest.approx(float(without))
    assert float(unmasked) > float(without) + 0.5


@given(dim=st.integers(2, 64), seed=st.integers(0, 99))
def test_squared_error_and_cosine_coincide_up_to_a_factor_on_the_sphere(
    dim: int, seed: int
) -> None:
    prediction, target = unit(5, dim, seed), unit(5, dim, seed + 1)
    rest = (torch.arange(5), unit(2, dim, 0), torch.tensor([8, 9]))

    mse = mixed_loss(prediction, target, *rest, weights(mse=1))
    cosine = mixed_loss(prediction, target, *rest, weights(cosine=1))

    assert float(mse) == pytest.approx(float(cosine) * 2 / dim)


@given(log_p=st.floats(-8, 0))
def test_generalized_cross_entropy_tends_to_cross_entropy(log_p: float) -> None:
    log_p_P = torch.tensor([log_p], dtype=torch.float64)

    plain = generalized_cross_entropy(log_p_P, 0.0)
    nearly = generalized_cross_entropy(log_p_P, 1e-7)

    assert float(nearly) == pytest.approx(float(plain), abs=1e-5)
    assert float(plain) == pytest.approx(-log_p)


def test_a_target_out_of_reach_is_let_go() -> None:
    far = torch.tensor([-30.0], dtype=torch.float64, requires_grad=True)

    generalized_cross_entropy(far, 0.7).sum().backward()

    assert far.grad is not None
    assert -1e-8 < float(far.grad) < 0


@pytest.mark.parametrize("gce_q", [0.0, 0.7])
@pytest.mark.parametrize(
    "bank_group", [[9, 9, 9], [0, 0, 0], [0, 1, 9]], ids=["none", "all", "some masked"]
)
@pytest.mark.parametrize("own", ["none", "all masked", "some masked"])
def test_gradients_are_finite_whatever_is_masked(
    gce_q: float, bank_group: list[int], own: str
) -> None:
    prediction = unit(2, 4, 0).float().requires_grad_()
    own_cosine = None
    if own != "none":
        own_cosine = prediction @ unit(3, 4, 5).float().T
        masked = torch.tensor([[True] * 3, [own == "all masked", True, True]])
        own_cosine = own_cosine.masked_fill(masked, -torch.inf)

    loss = mixed_loss(
        prediction,
        unit(2, 4, 1).float(),
        torch.tensor([0, 0]),
        unit(3, 4, 2).float(),
        torch.tensor(bank_group),
        weights(mse=1, cosine=1, infonce=1, temperature=0.01, gce_q=gce_q),
        own_cosine,
    )
    loss.backward()

    assert torch.isfinite(loss)
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()
