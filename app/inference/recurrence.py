"""Recurrent layers and their memory, rebuilt to be run and not to be trained."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nextvec.app.inference.kernel import Kernel, Packed
from nextvec.training.models.memory import OwnMemory
from nextvec.training.models.prediction import NEVER
from nextvec.training.vectors import Float32

_MOST_CODE = 127

_FEWEST_CODED = 64
# Numbers of an input below which its matrix stays float32: the 22 figures of a place
# differ too much to share a scale, and cost a tenth of the states' matrix.


class FusedGRU(nn.Module):
    """The layers of a GRU by the kernel, in float32 or int8.

    In int8 the matrices have a scale for each row. A state lies within -1 and 1, so
    that its codes need no scale of their own; what is read has one for each vector.
    Sums of codes are exact, whoever adds them up.
    """

    def __init__(self, gru: nn.GRU, *, kernel: Kernel, is_int8: bool) -> None:
        """Rebuild a GRU.

        Args:
            gru: of one direction, with biases; its dropout is left out.
            kernel: what runs it.
            is_int8: whether matrices are rounded to int8.
        """
        super().__init__()
        self._kernel, self._size = kernel, gru.hidden_size
        self._layers: list[tuple[Packed, Packed]] = []
        for number in range(gru.num_layers):
            reading, recurrent = (
                (
                    _array(getattr(gru, f"weight_{part}_l{number}")),
                    _array(getattr(gru, f"bias_{part}_l{number}")),
                )
                for part in ("ih", "hh")
            )
            is_coded = is_int8 and reading[0].shape[1] >= _FEWEST_CODED
            self._layers.append(
                (packed(*reading, is_coded), packed(*recurrent, is_int8))
            )

    def forward(self, read_BTI: Tensor) -> tuple[Tensor, None]:
        """Return states ``(B, T, H)`` as `nn.GRU` does, and no last state."""
        for layer in self._layers:
            read_BTI = self._kernel.layer(*layer, read_BTI, self._size)
        return read_BTI, None


def packed(weight_NK: Float32, bias_N: Float32, is_int8: bool) -> Packed:
    """Return a matrix and its bias as the kernel reads them, rounded to int8 or not."""
    if not is_int8:
        return Packed.floats(weight_NK, bias_N)
    most_N = np.abs(weight_NK).max(axis=1)
    scale_N = np.where(most_N > 0, most_N / _MOST_CODE, 1.0).astype(np.float32)
    code_NK = np.rint(weight_NK / scale_N[:, None]).astype(np.int8)
    return Packed.codes(code_NK, scale_N, bias_N)


class FoldedMemory(nn.Module):
    """`OwnMemory` with its matrices multiplied beforehand; equal to the rounding.

    The product of a query and a key is one matrix between two states, less what is the
    same for all states and what softmax takes no notice of. Values are made of what
    was read after it is weighed: of documents 22 numbers instead of H.
    """

    def __init__(self, memory: OwnMemory) -> None:
        """Fold one."""
        super().__init__()
        key_HH = memory.key.weight
        self.matrix_HH = key_HH.T @ memory.query.weight
        self.bias_H = key_HH.T @ memory.query.bias
        self.value = memory.value
        self._scale = 1 / math.sqrt(key_HH.shape[0])

    def forward(self, states_BTH: Tensor, inputs_BTI: Tensor) -> Tensor:
        """Read with every state, shape ``(B, T, H)``."""
        length = states_BTH.shape[1]
        asked_BTH = linear(states_BTH, self.matrix_HH, self.bias_H)
        score_BTS = asked_BTH @ states_BTH[:, :-1].transpose(1, 2) * self._scale
        is_past_TS = torch.ones(length, length - 1).tril(-1)
        score_BTS = score_BTS + NEVER * (1 - is_past_TS)
        weight_BTS = torch.softmax(score_BTS, dim=-1) * is_past_TS
        read_BTI = weight_BTS @ inputs_BTI[:, 1:]
        # the first state has no past, and reads nothing: not even the bias
        has_past_T1 = (torch.arange(length) > 0).to(states_BTH)[:, None]
        value_BTH = linear(read_BTI, self.value.weight)
        return value_BTH + has_past_T1 * self.value.bias


def _array(parameter: Tensor) -> Float32:
    array: Float32 = parameter.detach().numpy()
    return array
