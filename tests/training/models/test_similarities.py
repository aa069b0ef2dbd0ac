import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.similarities import (
    NUM_SIMILARITIES,
    base_weights,
    describe,
)
from nextvec.training.models.similarities import similarities as similarities_of
from nextvec.training.models.survey import survey

NEWEST, AFTER_NEWEST, SECOND, NEIGHBOR, NOVELTY = 2, 3, 8, 9, 13


def contexts(num: int, length: int, *, dim: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(num, length, dim, generator=generator), dim=-1)


def similarities(context_BTD: Tensor, length_B: Tensor) -> Tensor:
    return similarities_of(survey(ClosedForm(), context_BTD, length_B), length_B)


def test_every_place_has_its_figures_and_padding_none() -> None:
    figures_BTF = similarities(contexts(2, 9), torch.tensor([9, 4]))

    assert figures_BTF.shape == (2, 9, NUM_SIMILARITIES)
    assert torch.isfinite(figures_BTF).all()
    assert (figures_BTF[1, 4:] == 0).all()


def test_turning_all_vectors_changes_nothing() -> None:
    context_BTD, length_B = contexts(2, 9), torch.tensor([9, 4])
    turn_DD, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.manual_seed(3)))

    turned_BTF = similarities(context_BTD @ turn_DD, length_B)

    figures_BTF = similarities(context_BTD, length_B)
    torch.testing.assert_close(turned_BTF, figures_BTF, atol=2e-5, rtol=0)


def test_figures_are_the_cosines_they_are_called() -> None:
    context_BTD = contexts(1, 7)
    x, figures_TF = context_BTD[0], similarities(context_BTD, torch.tensor([7]))[0]

    assert figures_TF[2, NEWEST].item() == pytest.approx(float(x[2] @ x[6]), abs=1e-6)
    assert figures_TF[3, AFTER_NEWEST].item() == pytest.approx(float(x[2] @ x[6]))
    assert figures_TF[2, SECOND].item() == pytest.approx(float(x[2] @ x[5]), abs=1e-6)
    assert figures_TF[2, NEIGHBOR].item() == pytest.approx(float(x[2] @ x[1]))
    earlier = max(0.0, *(float(x[4] @ x[j]) for j in range(4)))
    assert figures_TF[4, NOVELTY].item() == pytest.approx(earlier, abs=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_shortest_contexts_have_figures(length: int) -> None:
    context_BTD = contexts(1, length)

    figures_BTF = similarities(context_BTD, torch.tensor([length]))

    assert torch.isfinite(figures_BTF).all()


@pytest.mark.parametrize("memory", [None, SequenceMemory(tau=0.4, gain=0.6)])
def test_the_weights_of_places_add_up_to_the_closed_form(
    memory: SequenceMemory | None,
) -> None:
    base = ClosedForm(rates=(0.7, 0.1), weights=(0.4, 0.6), memory=memory)
    context_BTD, length_B = contexts(3, 20), torch.tensor([20, 11, 1])

    mean_BT, memory_BT = base_weights(
        base, survey(base, context_BTD, length_B), length_B
    )

    summed_BD = torch.einsum("bt,btd->bd", mean_BT + memory_BT, context_BTD)
    expected_BD = base.at(context_BTD, length_B[:, None] - 1)[:, 0]
    torch.testing.assert_close(summed_BD, expected_BD, atol=1e-6, rtol=0)


def test_what_is_made_once_in_inference_mode_serves_training_too() -> None:
    base = ClosedForm(rates=(0.37,), memory=SequenceMemory(rate=0.61))
    context_BTD, length_B = contexts(2, 13), torch.tensor([13, 5])
    with torch.inference_mode():
        before = describe(base, context_BTD, length_B)
    context_BTD.requires_grad_()

    told = describe(base, context_BTD, length_B)
    (told.figures.sum() + told.base.sum()).backward()

    torch.testing.assert_close(told.figures.detach(), before.figures.clone())
    assert context_BTD.grad is not None
    assert torch.isfinite(context_BTD.grad).all()
