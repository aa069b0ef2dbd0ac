"""Recurrent layers and their memory, rebuilt to be run and not to be trained."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nextvec.app.inference.kernel import Kernel
from nextvec.app.inference.packed import Packed
from nextvec.training.models.memory import OwnMemory
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

    def __init__(
        self, gru: nn.GRU, *, kernel: Kernel, is_int8: bool, scale: float = 1.0
    ) -> None:
        """Rebuild a GRU.

        Args:
            gru: of one direction, with biases; its dropout is left out.
            kernel: what runs it.
            is_int8: whether matrices are rounded to int8.
            scale: what is read is multiplied with it, which costs nothing here.
        """
        super().__init__()
        self.hidden_size, self.num_layers = gru.hidden_size, gru.num_layers
        self._kernel = kernel
        self._layers: list[tuple[Packed, Packed]] = []
        for number in range(gru.num_layers):
            reading, recurrent = (
                (
                    _array(getattr(gru, f"weight_{part}_l{number}")),
                    _array(getattr(gru, f"bias_{part}_l{number}")),
                )
                for part in ("ih", "hh")
            )
            weight_NI, bias_N = reading
            factor = np.float32(scale if number == 0 else 1.0)
            is_coded = is_int8 and weight_NI.shape[1] >= _FEWEST_CODED
            self._layers.append(
                (
                    packed(factor * weight_NI, bias_N, is_coded),
                    packed(*recurrent, is_int8),
                )
            )

    def forward(
        self, read_BTI: Tensor, state_LBH: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return states ``(B, T, H)`` and the last of each layer, as `nn.GRU` does.

        Args:
            read_BTI: what is read.
            state_LBH: to begin with; None for zeros.
        """
        if state_LBH is None:
            last_LBH = torch.zeros(self.num_layers, len(read_BTI), self.hidden_size)
        else:
            last_LBH = state_LBH.clone(memory_format=torch.contiguous_format)
        for layer, last_BH in zip(self._layers, last_LBH, strict=True):
            read_BTI = self._kernel.layer(*layer, read_BTI, last_BH)
        return read_BTI, last_LBH


def packed(weight_NK: Float32, bias_N: Float32, is_int8: bool) -> Packed:
    """Return a matrix and its bias as the kernel reads them, rounded to int8 or not."""
    if not is_int8:
        return Packed.floats(weight_NK, bias_N)
    most_N = np.abs(weight_NK).max(axis=1)
    scale_N = np.where(most_N > 0, most_N / _MOST_CODE, 1.0).astype(np.float32)
    code_NK = np.rint(weight_NK / scale_N[:, None]).astype(np.int8)
    return Packed.codes(code_NK, scale_N, bias_N)


class FusedMemory(nn.Module):
    """`OwnMemory` by the kernel, its matrices multiplied beforehand.

    The product of a query and a key is one matrix between two states, less what is the
    same for all states and what softmax takes no notice of. Values are made of what
    was read after it is weighed: of documents 22 numbers instead of H. Scores and their
    sums are float32 whatever the matrices are.
    """

    def __init__(
        self, memory: OwnMemory, *, kernel: Kernel, is_int8: bool, scale: float = 1.0
    ) -> None:
        """Rebuild one.

        Args:
            memory: left unchanged.
            kernel: what runs it.
            is_int8: whether matrices are rounded to int8.
            scale: what was read is multiplied with it.
        """
        super().__init__()
        self._kernel, self._size = kernel, memory.key.out_features
        key_HH = memory.key.weight / math.sqrt(self._size)
        self._ask = packed(
            _array(key_HH.T @ memory.query.weight),
            _array(key_HH.T @ memory.query.bias),
            is_int8,
        )
        is_coded = is_int8 and memory.value.in_features >= _FEWEST_CODED
        self._value = packed(
            _array(scale * memory.value.weight), _array(memory.value.bias), is_coded
        )

    def beside(self, states_BTH: Tensor, inputs_BTI: Tensor) -> Tensor:
        """Return states and what each reads, shape ``(B, T, 2 H)``."""
        return self._kernel.recall(self._ask, self._value, states_BTH, inputs_BTI)

    def asked(self, states_BNH: Tensor) -> Tensor:
        """Return what states look for among earlier ones, shape ``(B, N, H)``."""
        return self._linear(self._ask, states_BNH)

    def recalled(
        self,
        asked_BNH: Tensor,
        states: Sequence[Tensor],
        contexts: Sequence[Tensor],
    ) -> Tensor:
        """Return what was read after states like the newest ones, ``(B, N, I)``."""
        num_new = asked_BNH.shape[1]
        if num_new == 1:
            what_BI = self._kernel.recall_newest(asked_BNH[:, 0], states, contexts)
            return what_BI[:, None]
        newest = []
        for back in range(num_new - 1, -1, -1):
            # whoever appends many at once, rarely, pays for one at a time
            ends = [len(one) - back for one in contexts]
            earlier = [one[:end] for one, end in zip(states, ends, strict=True)]
            read = [one[:end] for one, end in zip(contexts, ends, strict=True)]
            asked_BH = asked_BNH[:, num_new - 1 - back]
            newest.append(self._kernel.recall_newest(asked_BH, earlier, read))
        return torch.stack(newest, dim=1)

    def value(self, read_BNI: Tensor) -> Tensor:
        """Return the answers made of what is remembered, shape ``(B, N, H)``."""
        return self._linear(self._value, read_BNI)

    def _linear(self, matrix: Packed, rows_BNI: Tensor) -> Tensor:
        made_NH = self._kernel.linear(matrix, rows_BNI.flatten(0, 1), self._size)
        return made_NH.view(*rows_BNI.shape[:2], self._size)


def _array(parameter: Tensor) -> Float32:
    array: Float32 = parameter.detach().numpy()
    return array
