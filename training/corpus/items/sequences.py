"""Sequences of items in time order, before there are vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from nextvec.training.corpus.split import Split, split_lengths
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.windows import MIN_ITEM_CONTEXT
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Int64

LONG_SEQUENCE: Final = MIN_ITEM_CONTEXT + 1
"""Entries of the shortest sequence that holds a context and its target."""


@dataclass(frozen=True, kw_only=True)
class ItemSequences:
    """Who met what, in order; the same item may come again."""

    source: str
    """Files they come from, for messages."""

    sequence_ids: Sequence[str]
    """Unique name of each sequence, S of them."""

    lengths: Int64
    """Entries of each sequence, each at least 1, shape ``(S,)``."""

    item_ids: Sequence[str]
    """Unique name of each item that occurs."""

    items: Int64
    """Position in ``item_ids`` of every entry, sequence after sequence; ``(M,)``."""

    families: Int64 | None = None
    """Family of each sequence, which a split keeps together, shape ``(S,)``; None:
    each is alone."""

    def sequences(self) -> list[Int64]:
        """Items of each sequence, S arrays."""
        return np.split(self.items, np.cumsum(self.lengths)[:-1])

    def split(self, config: SplitConfig) -> Split:
        """Deal the sequences out, as `split_documents` does with the finished corpus.

        Raises:
            CorpusError: fewer than three are long enough for a window.
        """
        return split_lengths(
            self.lengths,
            config,
            longest_short=MIN_ITEM_CONTEXT,
            source=self.source,
            families=self.families,
        )


def named_sequences(
    names: Sequence[str], items: Sequence[Sequence[str]], *, source: str
) -> ItemSequences:
    """Put sequences of named items together, in the order in which they come.

    Args:
        names: unique name of each sequence, at least one.
        items: names of the items of each sequence in order, at least one each.
        source: what they are called in messages.
    """
    item_ids = sorted({name for sequence in items for name in sequence})
    number_of = {name: number for number, name in enumerate(item_ids)}
    return ItemSequences(
        source=source,
        sequence_ids=names,
        lengths=np.array([len(sequence) for sequence in items]),
        item_ids=item_ids,
        items=np.array([number_of[name] for sequence in items for name in sequence]),
    )


def require_long_sequence(sequences: ItemSequences) -> None:
    """Refuse sequences none of which holds a window.

    Raises:
        CorpusError: none has 21 entries; names the longest.
    """
    longest = int(sequences.lengths.max())
    if longest < LONG_SEQUENCE:
        msg = (
            f"{sequences.source}: no sequence is long enough: expected at least one of "
            f"{LONG_SEQUENCE} entries ({MIN_ITEM_CONTEXT} of context and a target), "
            f"the longest of {len(sequences.lengths)} has {longest}"
        )
        raise CorpusError(msg)


def without_duplicates(sequences: ItemSequences) -> ItemSequences:
    """Leave out long sequences with the same items in the same order as another.

    The first stays (evaluation protocol, rule 1). Short ones all stay: two people who
    did the same two things are two people, and no window is cut from them.
    """
    seen: set[bytes] = set()
    kept = []
    every = sequences.sequences()
    for number, items in enumerate(every):
        if len(items) >= LONG_SEQUENCE:
            key = items.tobytes()
            if key in seen:
                continue
            seen.add(key)
        kept.append(number)
    # an item of one sequence is in its duplicate too, so all items still occur
    return replace(
        sequences,
        sequence_ids=[sequences.sequence_ids[number] for number in kept],
        lengths=sequences.lengths[kept],
        items=np.concatenate([every[number] for number in kept]),
        families=None if sequences.families is None else sequences.families[kept],
    )
