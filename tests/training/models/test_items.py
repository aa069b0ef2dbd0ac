"""What a network knows of items, against the same told slowly."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.items import Copying
from nextvec.training.models.model import NextVectorModel, predict
from nextvec.training.models.options import Architecture
from nextvec.training.models.prediction import NEVER, Prediction

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

ITEMS, DIM = 7, 6


def catalogue(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(ITEMS, DIM, generator=generator), dim=-1)


def context_of(*sequences: list[int]) -> Tensor:
    return catalogue()[torch.tensor(sequences)]


def by_lot(length: int, *, seed: int = 0, kinds: int = 3) -> list[int]:
    rows: list[int] = np.random.default_rng(seed).integers(kinds, size=length).tolist()
    return rows


def no_longer_new(module: torch.nn.Module, *, seed: int = 0) -> None:
    """Give every number of it a value of its own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * noise)


def make_model(
    architecture: Architecture = "memory",
    *,
    can_copy: bool = True,
    is_new: bool = False,
) -> NextVectorModel:
    torch.manual_seed(0)
    config = ModelConfig(
        dim=DIM,
        architecture=architecture,
        hidden_size=8,
        num_slots=4,
        num_items=ITEMS,
        can_copy=can_copy,
    )
    model = NextVectorModel(config)
    assert model.items is not None
    model.items.start(catalogue(), torch.arange(ITEMS))
    if not is_new:
        no_longer_new(model.head)
        if model.copying is not None:
            no_longer_new(model.copying)
    return model.eval()


def copying_of(*, has_keys: bool = False, is_new: bool = False) -> Copying:
    torch.manual_seed(1)
    copying = Copying(4, has_keys=has_keys)
    if not is_new:
        no_longer_new(copying)
    return copying


def weigh(copying: Copying, sequence: list[int], features_TH: Tensor) -> Tensor:
    """Weigh all places after every position, shape ``(T, T)``."""
    position_BP = torch.arange(len(sequence))[None]
    with torch.inference_mode():
        weight_BTT: Tensor = copying(
            context_of(sequence), features_TH[None], position_BP
        )
    return weight_BTT[0]


def slow_weight(
    copying: Copying,
    sequence: list[int],
    features_TH: Tensor,
    position: int,
    place: int,
) -> float:
    """Return the log weight of the item at a place, after a position."""
    before = place - 1
    if before < 0 or place > position:
        return NEVER
    at_H, there_H = features_TH[position], features_TH[before]
    weight = copying.no_match + copying.step * (position - before)
    weight = weight + copying.trust(at_H)[0]
    for back, bonus in enumerate(copying.match_L):
        if before - back < 0 or sequence[before - back] != sequence[position - back]:
            break
        weight = weight + bonus
    if copying.query is not None and copying.key is not None:
        weight = weight + copying.query(at_H) @ copying.key(there_H) / 8
    return float(weight.detach())


def test_the_untrained_weights_of_a_sequence_are_those_made_by_hand() -> None:
    a, b, c = range(3)

    weight_TT = weigh(copying_of(is_new=True), [a, b, c, a, b], torch.zeros(5, 4))

    trust = -1.0
    # the b before place 2 is the newest item, and so is the a before that
    expected = [
        NEVER,
        math.log(0.02) + 4 * math.log(0.98) + trust,
        math.log(4) + math.log(4) + 3 * math.log(0.98) + trust,
        math.log(0.02) + 2 * math.log(0.98) + trust,
        math.log(0.02) + 1 * math.log(0.98) + trust,
    ]
    np.testing.assert_allclose(weight_TT[4], expected, atol=1e-5)
    assert (weight_TT[0] == NEVER).all()


@pytest.mark.parametrize("has_keys", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_weights_are_what_a_slow_count_says(*, has_keys: bool, seed: int) -> None:
    copying = copying_of(has_keys=has_keys)
    # of two kinds, so that there are matches as long as are told apart
    sequence = by_lot(17, seed=seed, kinds=1 + seed)
    features_TH = torch.randn(17, 4, generator=torch.Generator().manual_seed(seed))

    found_TT = weigh(copying, sequence, features_TH)

    assert (copying.query is not None) == has_keys

    slow_TT = [
        [slow_weight(copying, sequence, features_TH, t, s) for s in range(17)]
        for t in range(17)
    ]
    np.testing.assert_allclose(found_TT, slow_TT, atol=1e-4)


@pytest.mark.parametrize("matching", [0, 1, 2, 5, 7, 8, 11])
def test_a_match_has_the_bonuses_of_every_length_up_to_its_own(matching: int) -> None:
    copying = copying_of()
    a, b, c, d, e = range(5)
    run = [b, c, b, b, c, c, c, b, c, b, b][:matching]
    # what comes before the two runs differs
    sequence = [a, *run, d, e, *run]

    weight_TT = weigh(copying, sequence, torch.zeros(len(sequence), 4))

    last = len(sequence) - 1
    weight = weight_TT[last, matching + 1] - copying.trust.bias
    steps = last - matching
    expected = (
        copying.no_match + steps * copying.step + copying.match_L[:matching].sum()
    )
    torch.testing.assert_close(weight[0], expected, atol=1e-4, rtol=0)


def test_keys_say_nothing_before_they_have_learned() -> None:
    features_TH = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    sequence = by_lot(9)

    keyed = weigh(copying_of(has_keys=True, is_new=True), sequence, features_TH)
    bare = weigh(copying_of(has_keys=False, is_new=True), sequence, features_TH)
    learned = weigh(copying_of(has_keys=True), sequence, features_TH)

    assert torch.equal(keyed, bare)
    assert not torch.allclose(learned, bare)


@every_architecture
@torch.inference_mode()
def test_a_prediction_of_items_sees_nothing_later(architecture: Architecture) -> None:
    model, rows = make_model(architecture), by_lot(40)
    changed = rows[:23] + by_lot(17, seed=1)

    before = model.everywhere(context_of(rows))
    after = model.everywhere(context_of(changed))

    assert before.copies is not None
    assert after.copies is not None
    for first, second in (
        (before.vectors, after.vectors),
        (before.copies, after.copies),
    ):
        torch.testing.assert_close(first[:, :23], second[:, :23], atol=1e-5, rtol=0)
        # what the linear network weighs anew is vectors of documents alone
        is_blind = architecture == "linear" and first is before.vectors
        assert ((first[:, 23:] - second[:, 23:]).abs().max() > 1e-3) != is_blind
    assert (before.copies[0] <= NEVER).equal(
        torch.ones(40, 40).triu(1).bool() | (torch.arange(40) == 0)
    )


@every_architecture
@pytest.mark.parametrize(("length", "padding"), [(1, 0), (1, 7), (12, 19), (31, 1)])
@torch.inference_mode()
def test_padding_and_company_change_no_prediction_of_items(
    architecture: Architecture, length: int, padding: int
) -> None:
    model, width = make_model(architecture), length + padding
    alone = model.predict(context_of(by_lot(length)), torch.tensor([length]))
    batch_BTD = context_of(by_lot(width, seed=1), by_lot(width, seed=2), [0] * width)
    # a padding that looks like the context itself
    batch_BTD[1, length:] = context_of(by_lot(width))[0, length:]
    batch_BTD[1, :length] = context_of(by_lot(length))[0]

    together = model.predict(batch_BTD, torch.tensor([width, length, 1]))

    assert alone.copies is not None
    assert together.copies is not None
    for first, second in (
        (together.vectors[1], alone.vectors[0]),
        (together.copies[1, :length], alone.copies[0]),
    ):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
    assert (together.copies[1, length:] == NEVER).all()


@every_architecture
@torch.inference_mode()
def test_no_sequence_is_remembered_when_the_next_one_is_read(
    architecture: Architecture,
) -> None:
    model = make_model(architecture)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    rows = [by_lot(20, seed=seed) for seed in range(6)]
    context_QTD, length_Q = context_of(*rows), torch.tensor([20, 3, 11, 20, 1, 17])
    order = torch.tensor([4, 0, 5, 2, 1, 3])

    forth = predict(model, context_QTD, length_Q)
    back = predict(model, context_QTD[order], length_Q[order], block=4)
    singly = Prediction.joined(
        [model.predict(context_QTD[[q]], length_Q[[q]]) for q in range(6)]
    )

    assert forth.copies is not None
    assert back.copies is not None
    assert singly.copies is not None
    for first, second in (
        (forth.vectors[order], back.vectors),
        (forth.copies[order], back.copies),
        (forth.vectors, singly.vectors),
        (forth.copies, singly.copies),
    ):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
    assert all(torch.equal(state[n], v) for n, v in model.state_dict().items())


@every_architecture
@torch.inference_mode()
def test_an_untrained_network_knows_how_often_items_occur_and_no_more(
    architecture: Architecture,
) -> None:
    model = make_model(architecture, is_new=True)
    bare = make_model(architecture, can_copy=False, is_new=True)
    context_BTD = context_of(by_lot(15))

    found, without = model.everywhere(context_BTD), bare.everywhere(context_BTD)

    assert model.items is not None
    assert (found.vectors == 0).all()
    assert (without.vectors == 0).all()
    assert without.copies is None
    assert found.copies is not None
    cache = weigh(copying_of(is_new=True), by_lot(15), torch.zeros(15, 4))
    torch.testing.assert_close(found.copies[0], cache)
    share_N = (torch.arange(ITEMS) + 0.5) / (torch.arange(ITEMS) + 0.5).sum()
    torch.testing.assert_close(model.items.bias_N.exp(), share_N)
    torch.testing.assert_close(model.items.unit(), catalogue())


@every_architecture
def test_every_number_of_a_network_of_items_gets_a_gradient(
    architecture: Architecture,
) -> None:
    model = make_model(architecture).train()
    assert model.items is not None
    context_BTD = model.items.unit()[torch.tensor([by_lot(40), by_lot(40, seed=1)])]
    found = model.everywhere(context_BTD)
    assert found.copies is not None
    score_BTN = found.vectors @ model.items.unit().T + model.items.bias_N
    loss = score_BTN.square().mean() + found.copies.clamp(min=-50).exp().mean()
    loss.backward()

    without = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]  # type: ignore[union-attr]

    assert without == []


def test_frozen_vectors_take_no_gradient() -> None:
    config = ModelConfig(dim=DIM, num_items=ITEMS, item_vectors="frozen")

    items = NextVectorModel(config).items

    assert items is not None
    assert not items.vectors_ND.requires_grad
    assert items.bias_N.requires_grad
