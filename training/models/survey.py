"""One look at all pairs of places of a context, and what comes of their products."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.weighted_mean import mean_weights

STATE_RATES: Final = (0.7, 0.3)
SLOW_RATE: Final = 0.1
# Of the means that the figures tell of.


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
@torch.inference_mode(mode=False)
def constants(base: ClosedForm, length: int) -> Constants:
    """Return what contexts of a length and a closed form have in common.

    Whoever asks first may do so in inference mode, and training after it.
    """
    rates = _rates(base)
    sums = [torch.ones(length, length)]
    sums += [mean_weights(length, *sum_) for sum_ in _sums(base)]
    means = [mean_weights(length, (rate,), (1.0,)) for rate in rates]
    squares = [square_weights(length, rate)[0].T for rate in rates]
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
    rates: list[float] = [SLOW_RATE, *STATE_RATES]
    own = [] if base.memory is None else [((base.memory.rate,), (1.0,))]
    return [*(((rate,), (1.0,)) for rate in rates), (base.rates, base.weights), *own]


def _rates(base: ClosedForm) -> list[float]:
    """Return the rates of the means that are states."""
    return [*STATE_RATES, *([] if base.memory is None else [base.memory.rate])]


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)
def square_weights(length: int, rate: float) -> tuple[Tensor, Tensor]:
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
