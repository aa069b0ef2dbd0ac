"""Heads of a network, rebuilt to be run and not to be trained."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nextvec.app.inference.kernel import CopyRule, Kernel
from nextvec.app.inference.packed import Packed
from nextvec.training.models.items import KEY_SIZE, SAME_COSINE, Copying
from nextvec.training.models.place_head import NEW, PlaceHead
from nextvec.training.models.prediction import NEVER
from nextvec.training.vectors import Float32


class FusedPlaceHead(PlaceHead):
    """`PlaceHead` by the kernel, in float32: its matrices are small."""

    def __init__(self, head: PlaceHead, *, kernel: Kernel) -> None:
        """Rebuild one; what it makes is equal to the rounding."""
        nn.Module.__init__(self)
        self._kernel = kernel
        both_KF = torch.cat([head.figures.weight, head.here.weight], dim=1)
        bias_K = head.figures.bias
        self._here = Packed.floats(_array(both_KF), _array(bias_K))
        self._now = Packed.floats(
            _array(head.now.weight), np.zeros(len(bias_K), np.float32)
        )
        out = torch.cat([head.out.weight.flatten(), head.out.bias])
        self._out = np.ascontiguousarray(_array(out))

    def forward(
        self,
        context_BTD: Tensor,
        base_BT2: Tensor,
        figures_BTF: Tensor,
        features_BTH: Tensor,
        length_B: Tensor,
    ) -> Tensor:
        """Predict after the last vector of each context, as `PlaceHead.forward`."""
        given = context_BTD, base_BT2, figures_BTF, features_BTH
        return self._kernel.weigh_places(
            self._here, self._now, self._out, given, length_B, NEW
        )


class FusedCopying(Copying):
    """`Copying` by the kernel, in float32, after the newest of each context alone."""

    def __init__(self, copying: Copying, *, kernel: Kernel) -> None:
        """Rebuild one; what it makes is equal to the rounding."""
        nn.Module.__init__(self)
        self._kernel = kernel
        self._rule = CopyRule(
            copying.step.item(), SAME_COSINE, NEVER, tuple(copying.match_L.tolist())
        )
        first_KF, bias_K = copying.trust.weight, copying.trust.bias + copying.no_match
        self.query = self.key = None
        if copying.query is not None and copying.key is not None:
            query_KF = copying.query.weight / math.sqrt(KEY_SIZE)
            query_K = copying.query.bias / math.sqrt(KEY_SIZE)
            # what the bias of keys adds is the same for all places of a context
            first_KF = torch.cat([query_KF, first_KF + copying.key.bias @ query_KF])
            bias_K = torch.cat([query_K, bias_K + copying.key.bias @ query_K])
            self.key = nn.Linear(first_KF.shape[1], KEY_SIZE, bias=False)
            self.key.weight = copying.key.weight
            nothing_F = np.zeros(first_KF.shape[1], np.float32)
            self._ask = Packed.floats(_array(copying.key.weight.T), nothing_F)
        self._first = Packed.floats(_array(first_KF), _array(bias_K))
        self._num_asked = len(bias_K) - 1

    def forward(
        self, context_BTD: Tensor, features_BTH: Tensor, position_BP: Tensor
    ) -> Tensor:
        """Weigh the places of a context after one position of each.

        Args:
            context_BTD: unit vectors of items.
            features_BTH: what the network knows at every position.
            position_BP: the positions, P is 1.

        Returns:
            Log weight of the item at each place, shape ``(B, 1, T)``.
        """
        (last_B,) = position_BP.unbind(1)
        features_BF = features_BTH[torch.arange(len(last_B)), last_B]
        asked_BK, start_B = self._asked(features_BF)
        keys = None
        if self.key is not None:
            keys = features_BTH.contiguous().unbind()
            # one query: rather what it asks of features than every place's key
            asked_BK = self._kernel.linear(self._ask, asked_BK, features_BF.shape[1])
        weight_BT = self._kernel.weigh_copies(
            self._rule,
            context_BTD.contiguous().unbind(),
            keys,
            (last_B + 1).tolist(),
            asked_BK,
            start_B,
        )
        return weight_BT[:, None]

    def weigh_newest(
        self,
        contexts: Sequence[Tensor],
        features_B1H: Tensor,
        keys: Sequence[Tensor] | None,
    ) -> Tensor:
        """Do so after the newest of contexts that are kept one by one."""
        asked_BK, start_B = self._asked(features_B1H[:, 0])
        lengths = [context.shape[0] for context in contexts]
        return self._kernel.weigh_copies(
            self._rule, contexts, keys, lengths, asked_BK, start_B
        )

    def _asked(self, features_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is asked of keys, and the weight that all places have."""
        size = self._num_asked
        made_BK = self._kernel.linear(self._first, features_BF, size + 1)
        return made_BK[:, :size], made_BK[:, size]


def _array(tensor: Tensor) -> Float32:
    array: Float32 = tensor.detach().numpy()
    return array
