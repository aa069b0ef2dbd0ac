"""What grows with a context: rows that are kept of it, and the context itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_LEAST_ROOM: Final = 16
# Rows of a buffer at first; it doubles when they are full.


@dataclass(slots=True)
class _Buffer:
    """Room for rows, and how many of them mean something to somebody."""

    room: Tensor
    written: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that are never changed; longer ones share their memory.

    To copy a hundred rows for each new one would cost more than the step itself.
    """

    buffer: _Buffer
    length: int

    @classmethod
    def of(cls, rows_TF: Tensor) -> Self:
        """Take some rows, none as well."""
        return cls(_Buffer(rows_TF, len(rows_TF)), len(rows_TF))

    @property
    def rows(self) -> Tensor:
        """The rows, shape ``(T, F)``; a view, not to be changed."""
        return self.buffer.room[: self.length]

    @property
    def size_bytes(self) -> int:
        """What they take in memory with the room to grow, in bytes."""
        return self.buffer.room.nbytes

    def extended(self, new_NF: Tensor) -> "Kept":
        """Return these rows and some more after them."""
        # for each of many sessions: the length of a tensor is a call into Python
        buffer, length = self.buffer, self.length + new_NF.shape[0]
        # others have gone on from here already, whose rows stand behind these
        is_shared = buffer.written > self.length
        if is_shared or length > buffer.room.shape[0]:
            room = new_NF.new_empty((_room(length), new_NF.shape[1]))
            room[: self.length] = self.rows
            buffer = _Buffer(room, self.length)
        buffer.room[self.length : length] = new_NF
        buffer.written = length
        return Kept(buffer, length)


def _room(length: int) -> int:
    room = _LEAST_ROOM
    while room < length:
        room *= 2
    return room


class Grown:
    """Some contexts, and the vectors that each has just got: as many to each."""

    def __init__(self, contexts: Sequence[Tensor], starts: Sequence[int]) -> None:
        """Take contexts.

        Args:
            contexts: whole, the new vectors included, each ``(T, D)``.
            starts: where in each the new vectors begin.

        Raises:
            ValueError: one has not grown, or not by as many as the others.
        """
        self.contexts = contexts
        added = {
            context.shape[0] - start
            for context, start in zip(contexts, starts, strict=True)
        }
        self.num_new = min(added)
        """Vectors that are new in each, N."""
        if len(added) > 1 or self.num_new < 1:
            msg = f"expected all to grow by the same number, at least 1, got {added}"
            raise ValueError(msg)
        self.starts = starts
        """Where in each the new vectors begin."""

    @cached_property
    def positions(self) -> Tensor:
        """Positions of the new vectors, shape ``(B, N)``."""
        steps_N = torch.arange(self.num_new)
        positions_BN = torch.tensor(self.starts)[:, None] + steps_N
        return positions_BN.to(self.contexts[0].device)

    @property
    def last(self) -> Tensor:
        """Position of the newest vector of each, shape ``(B, 1)``."""
        return self.positions[:, -1:]

    @cached_property
    def newest(self) -> Tensor:
        """The new vectors, shape ``(B, N, D)``."""
        return torch.stack([context[-self.num_new :] for context in self.contexts])


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Return rows of different numbers as one tensor, zeros at the end."""
    if len(rows) == 1:
        return rows[0][None]
    return pad_sequence(list(rows), batch_first=True)
