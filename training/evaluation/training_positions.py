"""Positions of training sequences with what came next, to fit baselines on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nextvec.training.vectors import Int64

BLOCK = 256
"""Contexts held at a time: 25 MiB at T = 100 and D = 256."""

_MIN_CONTEXT = 10
# Positions with less context are no example of what is asked of a baseline.


@dataclass(frozen=True, slots=True)
class TrainingPositions:
    """Some positions of training, in the order of the segments."""

    segments: Int64
    """Rows of every segment, padded at the end with -1; shape ``(S, T)``."""

    segment: Int64
    """Segment of each position, shape ``(P,)``."""

    length: Int64
    """Vectors before each position, its context; shape ``(P,)``."""

    @classmethod
    def draw(cls, segments: Int64, most: int, rng: np.random.Generator) -> Self:
        """Take all positions with a context long enough, or as many by lot.

        Shorter contexts are taken only from a corpus that has no longer ones.

        Args:
            segments: as `cut_segments` makes them.
            most: positions at most.
            rng: where to draw from.
        """
        length_S = (segments >= 0).sum(axis=1)
        shortest = min(_MIN_CONTEXT, int(length_S.max()) - 1)
        # positions are numbered through, segment after segment
        count_S = np.maximum(0, length_S - shortest)
        stop_S = np.cumsum(count_S)
        number_P = np.arange(stop_S[-1])
        if len(number_P) > most:
            number_P = np.sort(rng.choice(len(number_P), most, replace=False))
        segment = np.searchsorted(stop_S, number_P, side="right")
        start_P = (stop_S - count_S)[segment]
        return cls(segments, segment, shortest + number_P - start_P)

    def __len__(self) -> int:
        """Return the number of positions, P."""
        return len(self.segment)

    def blocks(
        self, vectors_ND: Tensor
    ) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
        """Yield the positions block by block.

        Args:
            vectors_ND: the whole catalogue.

        Yields:
            Which positions, their contexts ``(B, T, D)``, the lengths of these
            ``(B,)``, and the vectors that came next ``(B, D)``.
        """
        for start in range(0, len(self), BLOCK):
            part = slice(start, min(start + BLOCK, len(self)))
            rows_BT = self.segments[self.segment[part]]
            context_BTD = vectors_ND[torch.from_numpy(np.maximum(rows_BT, 0))]
            length_B = torch.from_numpy(self.length[part])
            next_BD = context_BTD[torch.arange(len(length_B)), length_B]
            yield part, context_BTD, length_B, next_BD
