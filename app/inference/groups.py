"""Contexts of a batch that are worth padding together."""

from collections.abc import Iterator, Sequence
from typing import Final

_STEP: Final = 4
# What a step of a network costs beside its contexts, in contexts. With times measured
# of every shape (Memory and Baseline GRU, D = 256, one thread) 2 parts batches of 2 and
# 4 that take 7 % longer then, 10 misses half of what 8 and 16 gain; 4 never loses 2 %.


def groups(
    lengths: Sequence[int], widths: Sequence[int], heights: Sequence[int]
) -> list[list[int]]:
    """Part contexts so that padding each part costs least.

    A network takes as many steps as the longest of a part has vectors, each for all of
    them: one long context makes 31 short ones long. Parting a batch pays only where
    most are short, since each part is padded in number as well, and steps have a price
    of their own.

    Args:
        lengths: vectors of each context.
        widths: what lengths are padded to, ascending.
        heights: what the number of contexts is padded to, ascending.

    Returns:
        Places in ``lengths``, each in one part.
    """
    places: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        places.setdefault(at_least(length, widths), []).append(place)
    parts = [(width, places[width]) for width in sorted(places)]

    def cost(parted: list[tuple[int, list[int]]]) -> int:
        return sum(w * (_STEP + at_least(len(of), heights)) for w, of in parted)

    return [of for _, of in min(_joined(parts), key=cost)]


def at_least(number: int, sizes: Sequence[int]) -> int:
    """Return the smallest of the sizes that is large enough, or the number itself.

    Example:
        >>> at_least(11, (10, 25)), at_least(26, (10, 25))
        (25, 26)
    """
    return next((size for size in sizes if size >= number), number)


def _joined(
    parts: list[tuple[int, list[int]]],
) -> Iterator[list[tuple[int, list[int]]]]:
    """Yield every way to join neighbors; all in one part first, which wins a tie."""
    if len(parts) < 2:
        yield parts
        return
    (_, shorter), (width, longer), *rest = parts
    yield from _joined([(width, shorter + longer), *rest])
    for others in _joined(parts[1:]):
        yield [parts[0], *others]
