"""Vectors of items: those that were brought, or those made from training sequences."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from nextvec.training.corpus.items.cooccurrence import cooccurrence_vectors
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.vectors.arrays import open_npz, read_names
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32, check_vectors, l2_normalize

COOCCURRENCE: Final = "co-occurrence"
"""What the card calls the encoder of vectors that were made here."""

_SHOWN = 5
# Missing ids named in a message.


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVectors:
    """A catalogue before the sequences are put beside it."""

    ids: Sequence[str]
    """Unique name of each row, N of them."""

    vectors: Float32
    """Unit rows, shape ``(N, D)``."""

    split: SplitConfig | None = None
    """The split whose training sequences made them; None if they were brought."""

    cooccurrence: CooccurrenceConfig | None = None
    """How they were made; None if they were brought."""

    @property
    def vectors_split(self) -> dict[str, Any] | None:
        """What `CorpusCard` notes of the split."""
        return None if self.split is None else asdict(self.split)


def make_item_vectors(
    sequences: ItemSequences, config: CooccurrenceConfig, split: SplitConfig
) -> ItemVectors:
    """Make vectors from the training sequences of a split, and from no others.

    Raises:
        CorpusError: too few long sequences for a split, or too few items.
    """
    every = sequences.sequences()
    train = [every[number] for number in sequences.split(split).train]
    items, vectors = cooccurrence_vectors(
        train, len(sequences.item_ids), config, source=sequences.source
    )
    return ItemVectors(
        ids=[sequences.item_ids[item] for item in items],
        vectors=vectors,
        split=split,
        # as long as they became
        cooccurrence=replace(config, dim=vectors.shape[1], is_at_most=False),
    )


def read_item_vectors(path: Path, scratch: Path) -> ItemVectors:
    """Read vectors that were brought: all of them become the catalogue.

    Args:
        path: ``.npz`` with ``ids``, shape ``(N,)``, and ``vectors``, shape ``(N, D)``.
        scratch: folder for unpacked arrays.

    Raises:
        CorpusError: damaged, an array missing, or an id that occurs twice.
        VectorError: vectors that are unusable; names the row.
    """
    arrays = open_npz(path, ("ids", "vectors"), scratch)
    if len(arrays) < 2:
        found = " and ".join(sorted(arrays)) or "neither"
        msg = f"{path}: expected arrays ids and vectors, found {found}"
        raise CorpusError(msg)
    vectors = check_vectors(np.asarray(arrays["vectors"]), source=f"{path}: vectors")
    ids = read_names(arrays["ids"], len(vectors), f"{path}: ids")
    row_of: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in row_of:
            msg = f"{path}: ids: rows {row_of[name]} and {row} are both of {name!r}"
            raise CorpusError(msg)
        row_of[name] = row
    return ItemVectors(ids=ids, vectors=l2_normalize(vectors))


def require_every_item(
    vectors: ItemVectors, sequences: ItemSequences, source: str
) -> None:
    """Refuse vectors that lack an item of the sequences.

    Raises:
        CorpusError: some are missing; names how many and the first.
    """
    known = set(vectors.ids)
    missing = [name for name in sequences.item_ids if name not in known]
    if missing:
        first = ", ".join(map(repr, missing[:_SHOWN]))
        msg = (
            f"{source}: expected a vector for each of the {len(sequences.item_ids)} "
            f"items in the sequences, {len(missing)} have none, first {first}"
        )
        raise CorpusError(msg)
