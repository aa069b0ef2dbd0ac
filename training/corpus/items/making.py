"""A corpus from item sequences: events read, vectors made or brought, saved."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from nextvec.training.corpus.building import scratch_folder
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.items.building import (
    build_item_corpus,
    read_item_texts,
    unique_sequences,
)
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.event_columns import EventColumns
from nextvec.training.corpus.items.events import read_events
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.items.vectors import (
    COOCCURRENCE,
    ItemVectors,
    make_item_vectors,
    read_item_vectors,
    require_every_item,
)
from nextvec.training.corpus.origin import Origin, checksum_of_files
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.split_config import SplitConfig


def item_origin(
    files: Sequence[Path],
    *,
    columns: EventColumns,
    split: SplitConfig,
    cooccurrence: CooccurrenceConfig,
    vectors: Path | None = None,
    encoder: str = "unknown",
    texts: Path | None = None,
) -> Origin:
    """Tell what `make_item_corpus` makes a corpus of.

    Raises:
        CorpusError: a file that cannot be read.
    """
    read = [*files, *(path for path in (vectors, texts) if path is not None)]
    made = asdict(cooccurrence) if vectors is None else {"encoder": encoder}
    return Origin(
        kind="items",
        checksum=checksum_of_files(read, [path.name for path in read]),
        options={
            "columns": asdict(columns),
            "split": asdict(split),
            "vectors": None if vectors is None else vectors.name,
            "texts": None if texts is None else texts.name,
            **made,
        },
    )


def make_item_corpus(
    files: Sequence[Path],
    folder: Path,
    *,
    name: str,
    columns: EventColumns,
    split: SplitConfig,
    cooccurrence: CooccurrenceConfig,
    vectors: Path | None = None,
    encoder: str = "unknown",
    texts: Path | None = None,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Make a corpus from tables of events.

    Args:
        files: tables, one event a row, as `read_events` takes them.
        folder: where the corpus goes; an older one is replaced.
        name: what people call it.
        columns: what the columns of the tables are called.
        split: the one to train with; vectors are made from its training sequences.
        cooccurrence: how they are made.
        vectors: file of the vectors of all items, as `read_item_vectors` takes it;
            None makes them.
        encoder: name of what made ``vectors``, for the card.
        texts: table of the items' texts, as `read_item_texts` takes it.
        progress: told after each step.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: unreadable, an item without a vector in ``vectors``, too few
            items, or too few long sequences for the split; nothing is written.
        VectorError: vectors that are unusable; names the row.
    """
    sequences = read_events(files, columns)
    brought = None
    if vectors is not None:
        with scratch_folder(folder, "arrays") as scratch:
            brought = read_item_vectors(vectors, scratch)
        require_every_item(brought, sequences, str(vectors))
    found_texts = None if texts is None else read_item_texts(texts)
    card = CorpusCard(
        name=name,
        encoder=COOCCURRENCE if brought is None else encoder,
        source=sequences.source,
        origin=item_origin(
            files,
            columns=columns,
            split=split,
            cooccurrence=cooccurrence,
            vectors=vectors,
            encoder=encoder,
            texts=texts,
        ).to_dict(),
    )
    return make_sequence_corpus(
        sequences,
        card,
        folder,
        split=split,
        cooccurrence=cooccurrence,
        vectors=brought,
        texts=found_texts,
        progress=progress,
    )


def make_sequence_corpus(
    found: ItemSequences,
    card: CorpusCard,
    folder: Path,
    *,
    split: SplitConfig,
    cooccurrence: CooccurrenceConfig,
    vectors: ItemVectors | None = None,
    texts: Mapping[str, str] | None = None,
    notes: Mapping[str, object] | None = None,
    progress: Progress = ignore_progress,
) -> Corpus:
    """Make a corpus from sequences that were read already.

    Args:
        found: duplicates included, which are left out.
        card: where they come from.
        folder: where the corpus goes; an older one is replaced.
        split: as in `make_item_corpus`.
        cooccurrence: how vectors are made.
        vectors: those that were brought; None makes them.
        texts: text of each item by id, where there are any.
        notes: counts from before, for the card.
        progress: told after each of three steps.

    Returns:
        The corpus as loaded from ``folder``.

    Raises:
        CorpusError: too few items, or too few long sequences for the split; nothing
            is written.
    """
    what = "finding duplicates, making vectors"
    progress(what, 0, 3)
    sequences, counts = unique_sequences(found)
    progress(what, 1, 3)
    catalogue = vectors or make_item_vectors(sequences, cooccurrence, split)
    progress(what, 2, 3)
    corpus = build_item_corpus(
        sequences,
        catalogue,
        card,
        folder,
        split=split,
        texts=texts,
        notes=dict(notes or {}) | counts,
    )
    progress(what, 3, 3)
    return corpus
