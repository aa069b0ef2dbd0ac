"""What a model is trained on in an epoch; needs NumPy alone, as `ranks`."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

_BUCKET_BATCHES = 32
# Examples of like length meet in a batch, so that little padding is computed. They are
# sorted within 32 batches only, so that which of them meet stays random.


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs ``rows[start:stop]`` of one sequence; the item after them is a target.

    In a block, the item after every input is one.
    """

    start: int
    stop: int


def positions(offsets: Int64, *, context_length: int) -> list[Example]:
    """Every item but the first of each sequence, after its context.

    RecBole's data augmentation (`SequentialDataset.data_augmentation`).

    Args:
        offsets: sequence ``s`` is ``rows[offsets[s]:offsets[s + 1]]``.
        context_length: most items of a context.
    """
    return [
        Example(max(first, target - context_length), target)
        for first, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        for target in range(first + 1, end)
    ]


def blocks(
    offsets: Int64, *, context_length: int, rng: np.random.Generator
) -> list[Example]:
    """Whole sequences, those over ``context_length`` cut at places drawn anew.

    Every item but the first of each sequence is once a target: in short sequences after
    the same context as in `positions`, in long ones after what its block holds.
    """
    found = []
    for first, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        num_targets = end - first - 1
        cut = num_targets
        if num_targets > context_length:
            cut = int(rng.integers(1, context_length + 1))
        edges = [0, *range(cut, num_targets, context_length), num_targets]
        found += [
            Example(first + low, first + high)
            for low, high in pairwise(edges)
            if high > low
        ]
    return found


def batches(
    examples: list[Example], batch_size: int, rng: np.random.Generator
) -> Iterator[list[Example]]:
    """Shuffle the examples and deal them out, those of like length together."""
    order = rng.permutation(len(examples))
    dealt: list[Int64] = []
    for start in range(0, len(order), batch_size * _BUCKET_BATCHES):
        bucket = order[start : start + batch_size * _BUCKET_BATCHES]
        lengths = [examples[i].stop - examples[i].start for i in bucket]
        bucket = bucket[np.argsort(lengths, kind="stable")]
        dealt += [
            bucket[low : low + batch_size] for low in range(0, len(bucket), batch_size)
        ]
    for number in rng.permutation(len(dealt)):
        yield [examples[i] for i in dealt[number]]


def padded(rows: Int64, batch: list[Example]) -> tuple[Int64, Int64]:
    """Return a batch's inputs as RecBole numbers items, and their lengths.

    Returns:
        Row + 1 where there is an item and 0 behind the last, shape ``(B, T)`` for the
        longest of them; lengths, shape ``(B,)``.
    """
    lengths = np.array([example.stop - example.start for example in batch])
    items = np.zeros((len(batch), lengths.max()), dtype=np.int64)
    for line, example in zip(items, batch, strict=True):
        line[: example.stop - example.start] = rows[example.start : example.stop] + 1
    return items, lengths
