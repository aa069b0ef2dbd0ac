"""What a network is told of a document: how its vectors lie to one another.

Nothing here depends on where in space a document is: turn all of its vectors, and the
figures stay. A network that reads the vectors themselves learns what its training
documents are about, which tells it nothing of others; how a document returns, repeats
and moves on is alike in all.
"""

from collections.abc import Callable
from dataclasses import dataclass
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
SHARP: Final = 0.03
WIDE: Final = 0.1
# How fast a kernel falls: by exp((cosine - 1) / it).

_LEAST_SQUARE: Final = 1e-24
# Of what is shorter than 1e-12 a direction says nothing, as in torch's normalize.


@dataclass(frozen=True, slots=True)
class Survey:
    """What has to be told of all places of contexts with all others."""

    products: Tensor
    """Cosine of every place with every other, zeros where padded; shape
    ``(B, T, T)``."""

    nearest: Tensor
    """The three highest of them with other places, highest first, -1 where there is no
    other; shape ``(B, 3, T)``, in a context of fewer than three places fewer."""

    earlier: Tensor
    """The highest with an earlier place, 0 if none is positive; shape ``(B, T)``."""

    toward: Tensor
    """Product of every place with each of some sums of places; shape ``(B, C, T)``."""

    squares: Tensor
    """What is new at each place in the squared lengths of means, by rate; shape
    ``(B, R, T)``."""


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


def survey(base: ClosedForm, context_BTD: Tensor, length_B: Tensor) -> Survey:
    """Look once at all pairs of places: most of what figures and closed form cost.

    Args:
        base: the closed form.
        context_BTD: unit vectors, padded at the end with whatever is finite.
        length_B: vectors in each context.
    """
    fixed = constants(base, context_BTD.shape[1])
    product_BTT = context_BTD @ context_BTD.transpose(1, 2)
    weight_CTT, each_RTT = fixed.sums.to(product_BTT), fixed.squares.to(product_BTT)
    return _sweep(product_BTT, length_B, weight_CTT, each_RTT)


@dataclass(frozen=True, slots=True)
class Constants:
    """What the length of contexts and a closed form decide, on the CPU."""

    sums: Tensor
    """What each place weighs in each sum of places up to each last place: the plain
    sum, the slow mean, the states, the mean of the closed form, and the state of its
    memory if it has one; shape ``(C, T, T)``, the last place before the others."""

    squares: Tensor
    """What each product weighs in what is new in the square of the state at the second
    place, by rate; shape ``(R, T, T)``."""

    fresh: Tensor
    """What the newest vector weighs in the state at each place; shape ``(R, T)``."""


@lru_cache(maxsize=64)
def constants(base: ClosedForm, length: int) -> Constants:
    """Return what contexts of a length and a closed form have in common."""
    rates = _rates(base)
    sums = [torch.ones(length, length)]
    sums += [mean_weights(length, *sum_) for sum_ in _sums(base)]
    means = [mean_weights(length, (rate,), (1.0,)) for rate in rates]
    squares = [_squares(length, rate)[0].T for rate in rates]
    return Constants(
        torch.stack(sums),
        torch.stack(squares).contiguous(),
        torch.stack([mean_TT.diagonal() for mean_TT in means]).contiguous(),
    )


def _sweep(
    product_BTT: Tensor, length_B: Tensor, weight_CTT: Tensor, each_RTT: Tensor
) -> Survey:
    length = product_BTT.shape[1]
    place_T = torch.arange(length, device=product_BTT.device)
    is_inside_BT = (place_T < length_B[:, None]).to(product_BTT)
    product_BTT = product_BTT * is_inside_BT[:, None, :] * is_inside_BT[:, :, None]
    # a place does not compare with itself, nor with padding: -1 is below them all
    itself_TT = torch.eye(length).to(product_BTT)
    other_BTT = product_BTT - 2 * itself_TT - (1 - is_inside_BT)[..., None]
    earlier_TT = torch.ones(length, length).tril(-1).to(product_BTT)
    square = [(product_BTT * each_TT).sum(dim=1) for each_TT in each_RTT]
    weight_BCT = weight_CTT[:, length_B - 1].transpose(0, 1)
    return Survey(
        products=product_BTT,
        nearest=_nearest(other_BTT),
        earlier=(product_BTT * earlier_TT).amax(dim=2).clamp(min=0.0),
        toward=weight_BCT @ product_BTT,
        squares=torch.stack(square, dim=1),
    )


def _sums(base: ClosedForm) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return the means up to the last place, after the plain sum, that count."""
    rates: list[float] = [_SLOW_RATE, *_STATE_RATES]
    own = [] if base.memory is None else [((base.memory.rate,), (1.0,))]
    return [*(((rate,), (1.0,)) for rate in rates), (base.rates, base.weights), *own]


def _rates(base: ClosedForm) -> list[float]:
    """Return the rates of the means that are states."""
    return [*_STATE_RATES, *([] if base.memory is None else [base.memory.rate])]


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
    for number, rate in enumerate(_STATE_RATES):
        toward_BT = found.toward[:, 2 + number]
        square_BT = found.squares[:, number]
        alike_BT = _moved(_alike(toward_BT, square_BT, length_B, rate), 1)
        figures.append(alike_BT)
        if rate == _STATE_RATES[0]:
            sharp_BT = torch.exp((alike_BT - 1) / SHARP) * is_after_BT * is_inside_BT
            total_B1 = sharp_BT.sum(dim=1, keepdim=True).clamp(min=SHARP / 10)
            figures += [sharp_BT / total_B1, torch.exp((alike_BT - 1) / WIDE)]
    figures += [
        torch.exp((after_newest + after_second - 2) / WIDE) * (place_T > 1),
        torch.exp((after_newest - 1) / SHARP) * is_after_BT,
    ]
    slow_BT = _last_weights(found, length_B, (_SLOW_RATE,), (1.0,))
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
    summed_TT = _squares(length, rate)[1].to(toward_BT)
    norm_BT = (square_BT @ summed_TT.T).clamp(min=_LEAST_SQUARE).sqrt()
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
        Shape ``(B, 3, T)``, highest first; fewer of fewer than three rows.
    """
    num_contexts, length, _ = product_BTT.shape
    if num_contexts == 1 or length < 3:
        return product_BTT.topk(min(3, length), dim=1).values
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
    return torch.cat(best, dim=1)


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
