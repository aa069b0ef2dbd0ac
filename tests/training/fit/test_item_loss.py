"""The loss of item sequences, against the same told slowly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.fit.item_loss import ItemLoss
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.vectors import Int64

DIM = 6


def make_model(num_items: int, *, can_copy: bool) -> NextVectorModel:
    """Make a model of items in which no number is what it starts with."""
    torch.manual_seed(0)
    config = ModelConfig(
        dim=DIM,
        architecture="baseline",
        hidden_size=8,
        dropout=0.0,
        input_dropout=0.0,
        num_items=num_items,
        can_copy=can_copy,
    )
    model = NextVectorModel(config)
    assert model.items is not None
    model.items.start(torch.randn(num_items, DIM), torch.arange(num_items))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
        model.items.vectors_ND.mul_(1.7)
    return model


def loss_of(events: Int64, num_items: int, **told: Any) -> ItemLoss:  # noqa: ANN401
    count_N = np.bincount(events, minlength=num_items)
    share_N = torch.from_numpy(count_N / count_N.sum())
    default = ItemLoss(
        rows=np.unique(events),
        events=np.sort(events),
        log_shares=share_N.log().float(),
        sample_size=10**6,
        excludes_context=False,
    )
    return replace(default, **told)


def padded(*sequences: list[int]) -> Int64:
    width = max(len(sequence) for sequence in sequences)
    rows = np.full((len(sequences), width), -1, dtype=np.int64)
    for place, sequence in enumerate(sequences):
        rows[place, : len(sequence)] = sequence
    return rows


def slow_loss(
    model: NextVectorModel,
    sequences: list[list[int]],
    known: set[int],
    *,
    excludes_context: bool = False,
) -> float:
    """Ask the model at every place for itself, and add up what each item has."""
    assert model.items is not None
    unit_ND, bias_N = normalize(model.items.vectors_ND, dim=1), model.items.bias_N
    lost = []
    for sequence in sequences:
        for place in range(1, len(sequence)):
            context, target = sequence[:place], sequence[place]
            found = model.predict(
                unit_ND[torch.tensor(context)][None], torch.tensor([place])
            )
            weight: dict[int, Tensor] = {}
            for item in known | {target}:
                if excludes_context and item in context and item != target:
                    continue
                logit = found.vectors[0] @ unit_ND[item] + bias_N[item]
                weight[item] = logit.double().exp()
            if found.copies is not None:
                for item, copied in zip(context, found.copies[0], strict=True):
                    weight[item] = weight[item] + copied.double().exp()
            share = weight[target] / torch.stack(list(weight.values())).sum()
            lost.append(-float(share.log().detach()))
    return float(np.mean(lost))


SEQUENCES = [[3, 1, 4, 1, 5, 3, 1], [2, 6, 5], [5, 3], [4, 4, 4, 4]]


@pytest.mark.parametrize(
    ("can_copy", "excludes"),
    # where the context is no candidate nothing is copied
    [(False, False), (True, False), (False, True)],
)
def test_over_all_items_it_is_the_mean_of_what_each_place_lost(
    *, can_copy: bool, excludes: bool
) -> None:
    model = make_model(9, can_copy=can_copy)
    # item 0 and 8 are in no training sequence: they are no candidates
    events = np.array([row for sequence in SEQUENCES for row in sequence] + [7])
    loss = loss_of(events, 9, excludes_context=excludes)

    found = loss(model, padded(*SEQUENCES), np.random.default_rng(0))

    slow = slow_loss(model, SEQUENCES, set(range(1, 8)), excludes_context=excludes)
    assert float(found.detach()) == pytest.approx(slow, abs=1e-5)
    others = {(True, False), (False, True), (False, False)} - {(can_copy, excludes)}
    for copies, excluded in others:
        other = make_model(9, can_copy=copies)
        wrong = replace(loss, excludes_context=excluded)
        apart = wrong(other, padded(*SEQUENCES), np.random.default_rng(0))
        assert abs(float(apart.detach()) - slow) > 1e-3


def test_what_a_stretch_is_padded_with_costs_nothing() -> None:
    model, rng = make_model(9, can_copy=True), np.random.default_rng(0)
    loss = loss_of(np.arange(9), 9)

    apart = [float(loss(model, padded(one), rng).detach()) for one in SEQUENCES]
    together = float(loss(model, padded(*SEQUENCES), rng).detach())

    places = [len(one) - 1 for one in SEQUENCES]
    assert together == pytest.approx(np.average(apart, weights=places), abs=1e-5)


def test_a_sample_estimates_the_sum_over_all_items() -> None:
    items = 300
    rng = np.random.default_rng(0)
    # a few items are most of the events
    share_N = 1 / np.arange(1, items + 1)
    events = rng.choice(items, size=6000, p=share_N / share_N.sum())
    events = np.concatenate([events, np.arange(items)])
    model = make_model(items, can_copy=True).eval()
    rows = padded(*[rng.choice(items, 9).tolist() for _ in range(4)])
    whole, some = loss_of(events, items), loss_of(events, items, sample_size=200)
    uncorrected = replace(some, log_shares=torch.zeros(items))

    with torch.inference_mode():
        exact = float(whole(model, rows, rng))
        drawn = [float(some(model, rows, rng)) for _ in range(60)]
        wrong = [float(uncorrected(model, rows, rng)) for _ in range(60)]

    assert np.std(drawn) > 0
    assert np.mean(drawn) == pytest.approx(exact, abs=0.03)
    assert abs(np.mean(wrong) - exact) > 0.3


def test_an_item_of_which_there_is_no_more_than_a_sample_is_met_once() -> None:
    items = 12
    model = make_model(items, can_copy=False)
    loss = loss_of(np.arange(items), items, sample_size=items)
    rows = padded([0, 1, 2, 3])

    rng = np.random.default_rng(0)
    drawn = {float(loss(model, rows, rng).detach()) for _ in range(3)}
    fewer = replace(loss, sample_size=items - 1)

    assert len(drawn) == 1
    assert len({float(fewer(model, rows, rng).detach()) for _ in range(3)}) == 3


def test_a_network_of_documents_is_refused() -> None:
    model = NextVectorModel(ModelConfig(dim=DIM))

    with pytest.raises(ValueError, match="expected a model of items, got one of"):
        loss_of(np.arange(3), 3)(model, padded([0, 1]), np.random.default_rng(0))
