"""What a network is told of a document: how its vectors lie to one another.

Nothing here depends on where in space a document is: turn all of its vectors, and the
figures stay. A network that reads the vectors themselves learns what its training
documents are about, which tells it nothing of others; how a document returns, repeats
and moves on is alike in all.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.weighted_mean import weighted_mean_at

NUM_SIMILARITIES: Final = 22
"""Figures of each place, F."""

_STATE_RATES: Final = (0.7, 0.3)
_SLOW_RATE: Final = 0.1
_SHARP, _WIDE = 0.03, 0.1
# How fast a kernel falls: by exp((cosine - 1) / it).


def base_weights(
    base: ClosedForm, context_BTD: Tensor, length_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what each place weighs in the closed form after the last vector.

    Args:
        base: the closed form.
        context_BTD: unit vectors, padded at the end.
        length_B: vectors in each context.

    Returns:
        Weights in its mean and in its memory, each ``(B, T)``: their sum times the
        context is what `ClosedForm.at` returns.
    """
    last_B1 = length_B[:, None] - 1
    eye_BTT = torch.eye(context_BTD.shape[1]).to(context_BTD)
    eye_BTT = eye_BTT.expand(len(context_BTD), -1, -1)
    mean_BT = weighted_mean_at(eye_BTT, last_B1, base.rates, base.weights)[:, 0]
    mean_BD = torch.einsum("bt,btd->bd", mean_BT, context_BTD)
    mean_BT = mean_BT / mean_BD.norm(dim=1, keepdim=True).clamp(min=1e-12)
    if base.memory is None:
        return mean_BT, torch.zeros_like(mean_BT)
    weight_B1S = base.memory.weights_at(context_BTD, last_B1)
    # what is remembered of a state is the vector after it
    memory_BT = torch.nn.functional.pad(weight_B1S[:, 0], (1, 0))
    return mean_BT, base.memory.gain * memory_BT


def similarities(context_BTD: Tensor, length_B: Tensor) -> Tensor:
    """Describe every place of a context as it is seen from the last.

    Args:
        context_BTD: unit vectors, padded at the end with whatever is finite.
        length_B: vectors in each context.

    Returns:
        Shape ``(B, T, 22)``: how long ago; cosines of the place and its neighbors with
        the newest vectors and with each other; how alike the states before it and now
        are; how like the rest it is; how new it was. Zeros where padded.
    """
    place_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
    is_inside_BT = place_T < length_B[:, None]
    context_BTD = context_BTD * is_inside_BT[..., None]
    lag_BT = (length_B[:, None] - 1 - place_T).clamp(min=0).to(context_BTD)
    product_BTT = context_BTD @ context_BTD.transpose(1, 2)

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
    other_BTT = product_BTT.masked_fill(_is_self_or_padding(is_inside_BT), -1.0)
    nearest_BT3 = other_BTT.topk(min(3, other_BTT.shape[2]), dim=2).values
    is_earlier_TT = place_T[None, :] < place_T[:, None]
    earlier_BTT = other_BTT.masked_fill(~is_earlier_TT, -1.0)
    figures += [
        nearest_BT3[..., 0],
        nearest_BT3.mean(dim=2),
        earlier_BTT.amax(dim=2).clamp(min=0.0),
    ]
    last_B1 = length_B[:, None] - 1
    everywhere_BT = place_T.expand(len(context_BTD), -1)
    is_after_BT = (place_T > 0).to(context_BTD)
    for rate in _STATE_RATES:
        state_BTD = normalize(
            weighted_mean_at(context_BTD, everywhere_BT, (rate,), (1.0,)), dim=-1
        )
        index_B1D = last_B1[..., None].expand(-1, -1, state_BTD.shape[-1])
        now_BD1 = state_BTD.gather(1, index_B1D).transpose(1, 2)
        alike_BT = _moved((state_BTD @ now_BD1)[..., 0], 1)
        figures.append(alike_BT)
        if rate == _STATE_RATES[0]:
            sharp_BT = torch.exp((alike_BT - 1) / _SHARP) * is_after_BT * is_inside_BT
            total_B1 = sharp_BT.sum(dim=1, keepdim=True).clamp(min=_SHARP / 10)
            figures += [sharp_BT / total_B1, torch.exp((alike_BT - 1) / _WIDE)]
    figures += [
        torch.exp((after_newest + after_second - 2) / _WIDE) * (place_T > 1),
        torch.exp((after_newest - 1) / _SHARP) * is_after_BT,
    ]
    slow_B1D = weighted_mean_at(context_BTD, last_B1, (_SLOW_RATE,), (1.0,))
    mean_B1D = context_BTD.sum(dim=1, keepdim=True)
    for center_B1D in (mean_B1D, slow_B1D):
        center_BD1 = normalize(center_B1D, dim=-1).transpose(1, 2)
        figures.append((context_BTD @ center_BD1)[..., 0])
    return torch.stack(figures, dim=2) * is_inside_BT[..., None]


def _moved(figure_BT: Tensor, by: int, *, grow: bool = False) -> Tensor:
    """Give each place the figure of the one that many before it, 0 for none."""
    if by < 0:
        return torch.nn.functional.pad(figure_BT[:, -by:], (0, -by))
    moved_BT = torch.nn.functional.pad(figure_BT, (by, 0))
    return moved_BT if grow else moved_BT[:, : figure_BT.shape[1]]


def _is_self_or_padding(is_inside_BT: Tensor) -> Tensor:
    eye_TT = torch.eye(is_inside_BT.shape[1], device=is_inside_BT.device).bool()
    return eye_TT | ~is_inside_BT[:, None, :]
