"""The last step of item sequences: entries become rows of the catalogue, saved."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.items.sequences import (
    LONG_SEQUENCE,
    ItemSequences,
    require_long_sequence,
    without_duplicates,
)
from nextvec.training.corpus.items.tables import as_text, read_table
from nextvec.training.corpus.items.vectors import ItemVectors
from nextvec.training.corpus.repeats import repeat_share
from nextvec.training.corpus.split import PARTS, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import CorpusError


def unique_sequences(found: ItemSequences) -> tuple[ItemSequences, dict[str, Any]]:
    """Drop duplicates and count them, for the notes of the card.

    Raises:
        CorpusError: no sequence has 21 entries.
    """
    require_long_sequence(found)
    kept = without_duplicates(found)
    return kept, {
        "sequences_found": len(found.lengths),
        "entries_found": len(found.items),
        "items_found": len(found.item_ids),
        "duplicate_sequences_left_out": len(found.lengths) - len(kept.lengths),
        "duplicate_entries_left_out": len(found.items) - len(kept.items),
    }


def build_item_corpus(
    sequences: ItemSequences,
    vectors: ItemVectors,
    card: CorpusCard,
    folder: Path,
    *,
    split: SplitConfig,
    texts: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Corpus:
    """Put sequences and catalogue together, count, and save.

    Args:
        sequences: without duplicates.
        vectors: the catalogue.
        card: where they come from.
        folder: where the corpus goes; an older one is replaced.
        split: the parts that are counted apart; that of the vectors if they have one.
        texts: text of each item by id, where there are any; an item without has "".
        notes: counts from before, for the card.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: too few long sequences for a split; nothing is written.
    """
    row_of = {name: row for row, name in enumerate(vectors.ids)}
    row_of_item = np.array([row_of.get(name, -1) for name in sequences.item_ids])
    corpus = Corpus(
        vectors=vectors.vectors,
        ids=vectors.ids,
        rows=row_of_item[sequences.items].astype(np.int64),
        offsets=np.concatenate([[0], np.cumsum(sequences.lengths)]).astype(np.int64),
        document_ids=sequences.sequence_ids,
        card=card,
        kind="items",
        texts=None if texts is None else [texts.get(name, "") for name in vectors.ids],
        families=sequences.families,
    )
    parts = split_documents(corpus, split)
    counts = dict(notes or {}) | {
        "long_sequences": int((corpus.lengths >= LONG_SEQUENCE).sum()),
        "items_without_vector": int((row_of_item < 0).sum()),
        "entries_without_vector": {
            name: sum(int((corpus.sequence(d) < 0).sum()) for d in parts.part(name))
            for name in PARTS
        },
        "repeat_share": repeat_share(corpus, parts.train),
    }
    if vectors.cooccurrence is not None:
        used = vectors.cooccurrence
        counts["cooccurrence"] = {"window": used.window, "dim": used.dim}
    card = replace(card, notes=counts, vectors_split=vectors.vectors_split)
    return save_corpus(replace(corpus, card=card), folder)


def read_item_texts(path: Path) -> dict[str, str]:
    """Read a text for each item, such as its title.

    Args:
        path: table with the columns ``item`` and ``text``, as `read_table` takes it.

    Raises:
        CorpusError: unreadable, a column or an item missing, or an item with two texts.
    """
    table = read_table(path, ("item", "text"))
    items = as_text(table["item"], f"{path}: item").to_list()
    texts: dict[str, str] = {}
    for item, text in zip(items, table["text"].to_list(), strict=True):
        shown = "" if text is None else str(text)
        if texts.setdefault(item, shown) != shown:
            msg = f"{path}: item {item!r} has two texts"
            raise CorpusError(msg)
    return texts
