"""A layer of GRU step by step in torch, in float32 or int8: the judge of the kernel."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

MOST_CODE = 127


def layer_in_torch(
    gru: nn.GRU, read_BTI: Tensor, number: int, *, coded: tuple[bool, bool]
) -> Tensor:
    """Return the states of one layer, ``(B, T, H)``.

    Args:
        gru: whose layer.
        read_BTI: what it reads.
        number: of the layer.
        coded: whether the matrix of what is read, and that of states, is in int8.
    """
    most_BT1 = read_BTI.abs().amax(dim=-1, keepdim=True)
    unit_BT1 = torch.where(most_BT1 > 0, most_BT1 / MOST_CODE, 1.0)
    read_BTN = _product(gru, "ih", number, read_BTI, unit_BT1, is_coded=coded[0])
    size = gru.hidden_size
    state_BH = read_BTN.new_zeros(len(read_BTN), size)
    unit_of_states = torch.tensor(1 / MOST_CODE)
    states = []
    for step_BN in read_BTN.unbind(1):
        own_BN = _product(
            gru, "hh", number, state_BH, unit_of_states, is_coded=coded[1]
        )
        own_r, own_z, own_n = own_BN.split(size, dim=1)
        read_r, read_z, read_n = step_BN.split(size, dim=1)
        keep_BH = torch.sigmoid(read_z + own_z)
        new_BH = torch.tanh(read_n + torch.sigmoid(read_r + own_r) * own_n)
        state_BH = new_BH + keep_BH * (state_BH - new_BH)
        states.append(state_BH)
    return torch.stack(states, dim=1)


def _product(
    gru: nn.GRU, part: str, number: int, row: Tensor, unit: Tensor, *, is_coded: bool
) -> Tensor:
    weight_NK: Tensor = getattr(gru, f"weight_{part}_l{number}")
    bias_N: Tensor = getattr(gru, f"bias_{part}_l{number}")
    if not is_coded:
        return linear(row, weight_NK, bias_N)
    scale_N = weight_NK.abs().amax(dim=1) / MOST_CODE
    code_NK = torch.round(weight_NK / scale_N[:, None])
    sums = linear(torch.round(row / unit), code_NK)
    return sums * (unit * scale_N) + bias_N
