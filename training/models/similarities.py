"""What a network is told of a document: how its vectors lie to one another.

Nothing here depends on where in space a document is: turn all of its vectors, and the
figures stay. A network that reads the vectors themselves learns what its training
documents are about, which tells it nothing of others; how a document returns, repeats
and moves on is alike in all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.survey import (
    SLOW_RATE,
    STATE_RATES,
    Survey,
    square_weights,
    survey,
)
from nextvec.training.models.weighted_mean import mean_weights

NUM_SIMILARITIES: Final = 22
"""Figures of each place, F."""

SHARP: Final = 0.03
WIDE: Final = 0.1
# How fast a kernel falls: by exp((cosine - 1) / it).

_LEAST_SQUARE: Final = 1e-24
# Of what is shorter than 1e-12 a direction says nothing, as in torch's normalize.


@dataclass(frozen=True, slots=True)
class Described:
    """What a network of documents is told of contexts."""

    figures: Tensor
    """`similarities`; shape ``(B, T, 22)``."""

    base: Tensor
    """`base_weights`, in the mean and in the memory; shape ``(B, T, 2)``."""


Describe = Callable[[ClosedForm, Tensor, Tensor], Described]
"""What `describe` does, or the same faster."""


def describe(base: ClosedForm, context_BTD: Tensor, length_B: Tensor) -> Described:
    """Describe contexts, looking once at all pairs of their places.

    Args:
        base: the closed form.
        context_BTD: unit vectors, padded at the end with whatever is finite.
        length_B: vectors in each context.
    """
    found = survey(base, context_BTD, length_B)
    weights = base_weights(base, found, length_B)
    return Described(similarities(found, length_B), torch.stack(weights, dim=2))


def base_weights(
    base: ClosedForm, found: Survey, length_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what each place weighs in the closed form after the last vector.

    Args:
        base: the closed form.
        found: of the context.
        length_B: vectors in each context.

    Returns:
        Weights in its mean and in its memory, each ``(B, T)``: their sum times the
        context is what `ClosedForm.at` returns.
    """
    last_B1 = length_B[:, None] - 1
    mean_BT = _last_weights(found, length_B, base.rates, base.weights)
    mean_BT = mean_BT / _length(found.toward[:, 4], mean_BT)
    if base.memory is None:
        return mean_BT, torch.zeros_like(mean_BT)
    toward_BT, square_BT = found.toward[:, 5], found.squares[:, 2]
    alike_BT = _alike(toward_BT, square_BT, length_B, base.memory.rate)
    weight_B1S = base.memory.weigh(alike_BT[:, None, :-1], last_B1)
    # what is remembered of a state is the vector after it
    memory_BT = torch.nn.functional.pad(weight_B1S[:, 0], (1, 0))
    return mean_BT, base.memory.gain * memory_BT


def similarities(found: Survey, length_B: Tensor) -> Tensor:
    """Describe every place of a context as it is seen from the last.

    Args:
        found: of the context.
        length_B: vectors in each context.

    Returns:
        Shape ``(B, T, 22)``: how long ago; cosines of the place and its neighbors with
        the newest vectors and with each other; how alike the states before it and now
        are; how like the rest it is; how new it was. Zeros where padded.
    """
    product_BTT = found.products
    place_T = torch.arange(product_BTT.shape[1], device=product_BTT.device)
    is_inside_BT = place_T < length_B[:, None]
    lag_BT = (length_B[:, None] - 1 - place_T).clamp(min=0).to(product_BTT)

    def with_place(back: int) -> Tensor:
        """Cosine of every place with the one that many before the last."""
        at_B = (length_B - 1 - back).clamp(min=0)
        row_BT = product_BTT[torch.arange(len(at_B)), at_B]
        return row_BT * (length_B > back)[:, None]

    newest, second, third = with_place(0), with_place(1), with_place(2)
    after_newest, after_second = _moved(newest, 1), _moved(second, 2)
    neighbor_BT = _moved(torch.diagonal(product_BTT, 1, 1, 2), 1, grow=True)
    figures = [
        torch.log1p(lag_BT) / 3,
        torch.exp(-lag_BT / 3),
        newest,
        after_newest,
        after_second,
        _moved(third, 3),
        _moved(newest, 2),
        _moved(newest, -1),
        second,
        neighbor_BT,
        _moved(neighbor_BT, -1),
    ]
    figures += [
        found.nearest[:, 0],
        found.nearest.mean(dim=1),
        found.earlier,
    ]
    toward_mean, toward_slow = found.toward[:, 0], found.toward[:, 1]
    is_after_BT = (place_T > 0).to(product_BTT)
    for number, rate in enumerate(STATE_RATES):
        toward_BT = found.toward[:, 2 + number]
        square_BT = found.squares[:, number]
        alike_BT = _moved(_alike(toward_BT, square_BT, length_B, rate), 1)
        figures.append(alike_BT)
        if rate == STATE_RATES[0]:
            sharp_BT = torch.exp((alike_BT - 1) / SHARP) * is_after_BT * is_inside_BT
            total_B1 = sharp_BT.sum(dim=1, keepdim=True).clamp(min=SHARP / 10)
            figures += [sharp_BT / total_B1, torch.exp((alike_BT - 1) / WIDE)]
    figures += [
        torch.exp((after_newest + after_second - 2) / WIDE) * (place_T > 1),
        torch.exp((after_newest - 1) / SHARP) * is_after_BT,
    ]
    slow_BT = _last_weights(found, length_B, (SLOW_RATE,), (1.0,))
    figures += [
        toward_mean / _length(toward_mean, torch.ones_like(slow_BT)),
        toward_slow / _length(toward_slow, slow_BT),
    ]
    return torch.stack(figures, dim=2) * is_inside_BT[..., None]


def _last_weights(
    found: Survey,
    length_B: Tensor,
    rates: tuple[float, ...],
    weights: tuple[float, ...],
) -> Tensor:
    """Return what each place weighs in a mean up to the last, shape ``(B, T)``."""
    weight_TT = mean_weights(found.products.shape[1], rates, weights)
    return weight_TT.to(found.products)[length_B - 1]


def _length(toward_BT: Tensor, weight_BT: Tensor) -> Tensor:
    """Return the length of a sum, shape ``(B, 1)``, of its products with places."""
    square_B1 = (toward_BT * weight_BT).sum(dim=1, keepdim=True)
    return square_B1.clamp(min=_LEAST_SQUARE).sqrt()


def _alike(
    toward_BT: Tensor, square_BT: Tensor, length_B: Tensor, rate: float
) -> Tensor:
    """Return the cosine of every state with the last, shape ``(B, T)``.

    A state is the mean up to a place, of one rate. Neither the states nor their
    products are made: that would cost ``T T D`` for each rate, as much as all products
    of the context.

    Args:
        toward_BT: product of every place with the last state.
        square_BT: what is new at each place in the squares of states.
        length_B: vectors in each context.
        rate: of the mean.
    """
    length = toward_BT.shape[1]
    mean_TT = mean_weights(length, (rate,), (1.0,)).to(toward_BT)
    summed_TT = square_weights(length, rate)[1].to(toward_BT)
    norm_BT = (square_BT @ summed_TT.T).clamp(min=_LEAST_SQUARE).sqrt()
    norm_B1 = norm_BT.gather(1, length_B[:, None] - 1)
    return (toward_BT @ mean_TT.T / (norm_BT * norm_B1)).clamp(-1.0, 1.0)


def _moved(figure_BT: Tensor, by: int, *, grow: bool = False) -> Tensor:
    """Give each place the figure of the one that many before it, 0 for none."""
    if by < 0:
        return torch.nn.functional.pad(figure_BT[:, -by:], (0, -by))
    moved_BT = torch.nn.functional.pad(figure_BT, (by, 0))
    return moved_BT if grow else moved_BT[:, : figure_BT.shape[1]]
