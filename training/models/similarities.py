"""What a network is told of a document: how its vectors lie to one another.

Nothing here depends on where in space a document is: turn all of its vectors, and the
figures stay. A network that reads the vectors themselves learns what its training
documents are about, which tells it nothing of others; how a document returns, repeats
and moves on is alike in all.
"""

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.weighted_mean import mean_weights

NUM_SIMILARITIES: Final = 22
"""Figures of each place, F."""

_STATE_RATES: Final = (0.7, 0.3)
_SLOW_RATE: Final = 0.1
_SHARP, _WIDE = 0.03, 0.1
# How fast a kernel falls: by exp((cosine - 1) / it).

_LEAST_SQUARE: Final = 1e-24
# Of what is shorter than 1e-12 a direction says nothing, as in torch's normalize.


def products(context_BTD: Tensor, length_B: Tensor) -> Tensor:
    """Return the cosine of every place with every other, zeros where padded.

    Args:
        context_BTD: unit vectors, padded at the end with whatever is finite.
        length_B: vectors in each context.

    Returns:
        Shape ``(B, T, T)``: all that `similarities` and `base_weights` know of a
        context, and most of what they cost.
    """
    place_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
    is_inside_BT = (place_T < length_B[:, None]).to(context_BTD)
    product_BTT = context_BTD @ context_BTD.transpose(1, 2)
    return product_BTT * is_inside_BT[:, None, :] * is_inside_BT[:, :, None]


def base_weights(
    base: ClosedForm, product_BTT: Tensor, length_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what each place weighs in the closed form after the last vector.

    Args:
        base: the closed form.
        product_BTT: of the context (`products`).
        length_B: vectors in each context.

    Returns:
        Weights in its mean and in its memory, each ``(B, T)``: their sum times the
        context is what `ClosedForm.at` returns.
    """
    last_B1 = length_B[:, None] - 1
    mean_BT = _last_weights(product_BTT, length_B, base.rates, base.weights)
    lasts = [mean_BT]
    if base.memory is not None:
        rates = (base.memory.rate,)
        lasts.append(_last_weights(product_BTT, length_B, rates, (1.0,)))
    toward = _toward(product_BTT, lasts)
    mean_BT = mean_BT / _length(toward[0], mean_BT)
    if base.memory is None:
        return mean_BT, torch.zeros_like(mean_BT)
    alike_BT = _alike(product_BTT, toward[1], length_B, base.memory.rate)
    weight_B1S = base.memory.weigh(alike_BT[:, None, :-1], last_B1)
    # what is remembered of a state is the vector after it
    memory_BT = torch.nn.functional.pad(weight_B1S[:, 0], (1, 0))
    return mean_BT, base.memory.gain * memory_BT


def similarities(product_BTT: Tensor, length_B: Tensor) -> Tensor:
    """Describe every place of a context as it is seen from the last.

    Args:
        product_BTT: of the context (`products`).
        length_B: vectors in each context.

    Returns:
        Shape ``(B, T, 22)``: how long ago; cosines of the place and its neighbors with
        the newest vectors and with each other; how alike the states before it and now
        are; how like the rest it is; how new it was. Zeros where padded.
    """
    length = product_BTT.shape[1]
    place_T = torch.arange(length, device=product_BTT.device)
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
    # a place does not compare with itself, nor with padding: -1 is below them all
    itself_TT = torch.eye(length).to(product_BTT)
    padding_BT1 = (~is_inside_BT).to(product_BTT)[..., None]
    nearest_BT3 = _nearest(product_BTT - 2 * itself_TT - padding_BT1)
    earlier_TT = torch.ones(length, length).tril(-1).to(product_BTT)
    figures += [
        nearest_BT3[..., 0],
        nearest_BT3.mean(dim=2),
        (product_BTT * earlier_TT).amax(dim=2).clamp(min=0.0),
    ]
    centers = [torch.ones_like(newest)] + [
        _last_weights(product_BTT, length_B, (rate,), (1.0,))
        for rate in (_SLOW_RATE, *_STATE_RATES)
    ]
    toward_mean, toward_slow, *toward_states = _toward(product_BTT, centers)
    is_after_BT = (place_T > 0).to(product_BTT)
    for rate, toward_BT in zip(_STATE_RATES, toward_states, strict=True):
        alike_BT = _moved(_alike(product_BTT, toward_BT, length_B, rate), 1)
        figures.append(alike_BT)
        if rate == _STATE_RATES[0]:
            sharp_BT = torch.exp((alike_BT - 1) / _SHARP) * is_after_BT * is_inside_BT
            total_B1 = sharp_BT.sum(dim=1, keepdim=True).clamp(min=_SHARP / 10)
            figures += [sharp_BT / total_B1, torch.exp((alike_BT - 1) / _WIDE)]
    figures += [
        torch.exp((after_newest + after_second - 2) / _WIDE) * (place_T > 1),
        torch.exp((after_newest - 1) / _SHARP) * is_after_BT,
    ]
    figures += [
        toward_mean / _length(toward_mean, centers[0]),
        toward_slow / _length(toward_slow, centers[1]),
    ]
    return torch.stack(figures, dim=2) * is_inside_BT[..., None]


def _last_weights(
    product_BTT: Tensor,
    length_B: Tensor,
    rates: tuple[float, ...],
    weights: tuple[float, ...],
) -> Tensor:
    """Return what each place weighs in a mean up to the last, shape ``(B, T)``."""
    weight_TT = mean_weights(product_BTT.shape[1], rates, weights).to(product_BTT)
    return weight_TT[length_B - 1]


def _toward(product_BTT: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """Return the product of every place with some sums of places, in one pass.

    Args:
        product_BTT: of the context (`products`).
        weights: what each place weighs in each sum, each ``(B, T)``.

    Returns:
        One for each sum, each ``(B, T)``.
    """
    return list((product_BTT @ torch.stack(weights, dim=2)).unbind(dim=2))


def _length(toward_BT: Tensor, weight_BT: Tensor) -> Tensor:
    """Return the length of a sum, shape ``(B, 1)``, of its products with places."""
    square_B1 = (toward_BT * weight_BT).sum(dim=1, keepdim=True)
    return square_B1.clamp(min=_LEAST_SQUARE).sqrt()


def _alike(
    product_BTT: Tensor, toward_BT: Tensor, length_B: Tensor, rate: float
) -> Tensor:
    """Return the cosine of every state with the last, shape ``(B, T)``.

    A state is the mean up to a place, of one rate. Neither the states nor their
    products are made: that would cost ``T T D`` for each rate, as much as all products
    of the context.

    Args:
        product_BTT: of the context (`products`).
        toward_BT: product of every place with the last state.
        length_B: vectors in each context.
        rate: of the mean.
    """
    length = product_BTT.shape[1]
    mean_TT = mean_weights(length, (rate,), (1.0,)).to(product_BTT)
    each_TT, summed_TT = (m.to(product_BTT) for m in _squares(length, rate))
    square_BT = (product_BTT * each_TT).sum(dim=2) @ summed_TT.T
    norm_BT = square_BT.clamp(min=_LEAST_SQUARE).sqrt()
    norm_B1 = norm_BT.gather(1, length_B[:, None] - 1)
    return (toward_BT @ mean_TT.T / (norm_BT * norm_B1)).clamp(-1.0, 1.0)


@lru_cache(maxsize=64)
def _squares(length: int, rate: float) -> tuple[Tensor, Tensor]:
    """Return how the squared lengths of all states come of a context's products.

    The state at t is ``a`` of the one before and ``b`` of the vector at t, so that its
    square is ``a a`` of the square before and ``2 a b`` of the product of these two,
    plus ``b b``.

    Returns:
        What each product weighs in what is new at a place, and what that weighs in
        the square at each later place; both ``(T, T)``, float32, on the CPU.
    """
    mean_TT = mean_weights(length, (rate,), (1.0,)).double()
    new_T = mean_TT.diagonal()
    before_TT = torch.nn.functional.pad(mean_TT, (0, 0, 1, 0))[:-1]
    each_TT = 2 * ((1 - new_T) * new_T)[:, None] * before_TT + torch.diag(new_T**2)
    summed_TT = torch.eye(length, dtype=torch.float64)
    for t in range(1, length):
        summed_TT[t, :t] = (1 - new_T[t]) ** 2 * summed_TT[t - 1, :t]
    return each_TT.float(), summed_TT.float()


def _nearest(product_BTT: Tensor) -> Tensor:
    """Return the three highest of each column, or all there are.

    Returns:
        Shape ``(B, T, 3)``, highest first; fewer in a context of fewer than three.
    """
    num_contexts, length, _ = product_BTT.shape
    if num_contexts == 1 or length < 3:
        return product_BTT.topk(min(3, length), dim=1).values.transpose(1, 2)
    # halves against each other, until one is left: sorts nothing and takes a third of
    # the time of topk for 16 contexts, though for one three times as long
    none_BTT = product_BTT.new_full((1, 1, 1), -torch.inf).expand_as(product_BTT)
    best = [product_BTT, none_BTT, none_BTT]
    while best[0].shape[1] > 1:
        odd = best[0].shape[1] % 2
        a, b = zip(*(_halves(part, odd) for part in best), strict=True)
        low = torch.minimum(a[0], b[0])
        second = torch.maximum(torch.maximum(a[1], b[1]), low)
        crossed = torch.maximum(torch.minimum(a[0], b[1]), torch.minimum(a[1], b[0]))
        third = torch.maximum(torch.maximum(a[2], b[2]), crossed)
        best = [torch.maximum(a[0], b[0]), second, third]
    return torch.cat(best, dim=1).transpose(1, 2)


def _halves(part_BST: Tensor, odd: int) -> tuple[Tensor, Tensor]:
    if odd:
        part_BST = torch.nn.functional.pad(part_BST, (0, 0, 0, 1), value=-torch.inf)
    middle = part_BST.shape[1] // 2
    return part_BST[:, :middle], part_BST[:, middle:]


def _moved(figure_BT: Tensor, by: int, *, grow: bool = False) -> Tensor:
    """Give each place the figure of the one that many before it, 0 for none."""
    if by < 0:
        return torch.nn.functional.pad(figure_BT[:, -by:], (0, -by))
    moved_BT = torch.nn.functional.pad(figure_BT, (by, 0))
    return moved_BT if grow else moved_BT[:, : figure_BT.shape[1]]
