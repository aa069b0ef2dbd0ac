from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.corpus import CorpusCard
from nextvec.training.corpus.items.building import (
    build_item_corpus,
    read_item_texts,
    unique_sequences,
)
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.items.vectors import ItemVectors, make_item_vectors
from nextvec.training.corpus.split import PARTS, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.errors import CorpusError

CARD = CorpusCard(name="tiny", encoder="none", source="made by a test")
SPLIT = SplitConfig(seed=1)


def make_sequences() -> ItemSequences:
    """Walks of 30 entries, one twice, and a short one."""
    rng = np.random.default_rng(0)
    walks = [
        (rng.integers(20) + np.cumsum(rng.integers(0, 3, 30))) % 20 for _ in "1" * 15
    ]
    walks += [walks[0], walks[0][:5]]
    return ItemSequences(
        source="here",
        sequence_ids=[f"s{number}" for number in range(len(walks))],
        lengths=np.array([len(items) for items in walks]),
        item_ids=[f"i{item:02d}" for item in range(20)],
        items=np.concatenate(walks),
    )


def test_the_finished_corpus_comes_back_from_disk(tmp_path: Path) -> None:
    sequences, notes = unique_sequences(make_sequences())
    vectors = make_item_vectors(sequences, CooccurrenceConfig(window=2, dim=4), SPLIT)

    built = build_item_corpus(
        sequences,
        vectors,
        CARD,
        tmp_path / "c",
        split=SPLIT,
        texts={"i03": "Three"},
        notes=notes,
    )

    loaded = load_corpus(tmp_path / "c")
    assert loaded.fingerprint == built.fingerprint == replace(built).fingerprint
    assert loaded.kind == "items"
    np.testing.assert_array_equal(loaded.vectors, vectors.vectors)
    assert [loaded.ids[row] for row in loaded.sequence(0)] == [
        sequences.item_ids[item] for item in sequences.sequences()[0]
    ]
    assert loaded.document_ids == [f"s{number}" for number in (*range(15), 16)]
    assert loaded.texts is not None
    assert loaded.texts[loaded.row_of_id["i03"]] == "Three"
    assert loaded.texts[loaded.row_of_id["i04"]] == ""
    assert loaded.card.vectors_split == {"seed": 1, "validation": 0.15, "test": 0.25}
    assert loaded.card.notes["cooccurrence"] == {"window": 2, "dim": 4}
    assert loaded.card.notes["duplicate_sequences_left_out"] == 1
    assert loaded.card.notes["duplicate_entries_left_out"] == 30
    assert loaded.card.notes["sequences_found"] == 17
    assert loaded.card.notes["entries_found"] == 16 * 30 + 5
    assert loaded.card.notes["long_sequences"] == 15
    assert 0 < loaded.card.notes["repeat_share"] < 1


def test_the_split_before_is_the_split_after(tmp_path: Path) -> None:
    sequences, _ = unique_sequences(make_sequences())
    vectors = make_item_vectors(sequences, CooccurrenceConfig(window=2, dim=4), SPLIT)

    corpus = build_item_corpus(sequences, vectors, CARD, tmp_path / "c", split=SPLIT)

    before, after = sequences.split(SPLIT), split_documents(corpus, SPLIT)
    for part in PARTS:
        np.testing.assert_array_equal(before.part(part), after.part(part))


def test_variants_stay_together_before_and_after(tmp_path: Path) -> None:
    sequences, _ = unique_sequences(
        replace(make_sequences(), families=np.arange(17) // 2)
    )
    vectors = make_item_vectors(sequences, CooccurrenceConfig(window=2, dim=4), SPLIT)

    corpus = build_item_corpus(sequences, vectors, CARD, tmp_path / "c", split=SPLIT)

    before, after = sequences.split(SPLIT), split_documents(corpus, SPLIT)
    assert corpus.families is not None
    for part in PARTS:
        np.testing.assert_array_equal(before.part(part), after.part(part))
        others = np.setdiff1d(np.arange(16), after.part(part))
        here = set(corpus.families[after.part(part)].tolist())
        assert here.isdisjoint(corpus.families[others].tolist())


def test_entries_without_a_vector_are_counted_by_part(tmp_path: Path) -> None:
    sequences, _ = unique_sequences(make_sequences())
    ids = [name for name in sequences.item_ids if name != "i07"]
    vectors = ItemVectors(ids=ids, vectors=np.eye(19, dtype=np.float32))

    corpus = build_item_corpus(sequences, vectors, CARD, tmp_path / "c", split=SPLIT)

    notes = corpus.card.notes
    assert notes["items_without_vector"] == 1
    assert corpus.card.vectors_split is None
    assert "cooccurrence" not in notes
    assert corpus.texts is None
    parts = sequences.split(SPLIT)
    assert notes["entries_without_vector"] == {
        name: sum(
            int((sequences.sequences()[number] == 7).sum())
            for number in parts.part(name)
        )
        for name in PARTS
    }
    assert (corpus.rows == -1).sum() == (sequences.items == 7).sum() > 0


def test_texts_are_read_by_item(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('item,text,year\n1,"One, two",1999\n2,,\n1,"One, two",2000\n')

    assert read_item_texts(path) == {"1": "One, two", "2": ""}


def test_an_item_with_two_texts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("item,text\n1,One\n1,Two\n")

    with pytest.raises(CorpusError, match=r"t\.csv: item '1' has two texts"):
        read_item_texts(path)
