import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.building import (
    build_corpus,
    require_long_document,
    scratch_folder,
)
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.parts import Parts
from nextvec.training.corpus.store import load_corpus
from nextvec.training.corpus.text.passages import parts_from_documents
from nextvec.training.corpus.text.text import Document
from nextvec.training.corpus.unique import row_keys
from nextvec.training.corpus.vectors.importing import read_vectors
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Float32

CARD = CorpusCard(name="test", encoder="letters", source="made up")


class LetterEncoder:
    """Counts letters: small, and the same for any batch."""

    name = "letters"
    version = "letters 1"
    checksum = "0" * 64
    dim = 26

    def encode(self, texts: Sequence[str]) -> Float32:
        counts = np.zeros((len(texts), 26), np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    counts[row, ord(letter) - ord("a")] += 1
        return counts


def page(name: str, first: int, sentences: int) -> Document:
    rng = np.random.default_rng(first)
    words = rng.integers(97, 123, size=(sentences, 20, 4))
    text = " ".join(
        "X" + " ".join("".join(map(chr, word)) for word in sentence) + "."
        for sentence in words
    )
    return Document(name, text)


def rows_parts(
    lengths: list[int], rows: Float32, *, ids: list[str] | None = None
) -> Parts:
    return Parts(
        name="rows",
        document_ids=[f"d{number}" for number in range(len(lengths))],
        lengths=np.array(lengths),
        keys=row_keys(rows),
        dim=rows.shape[1],
        read=lambda start, stop: rows[start:stop],
        ids=ids,
    )


def random_rows(count: int, *, dim: int = 3, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def left_behind(folder: Path) -> list[str]:
    """Return what lies in a folder, its lock aside, which stays."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_text_becomes_a_corpus_without_its_duplicates(tmp_path: Path) -> None:
    pages = [
        page("long", 1, 110),
        page("copy", 1, 105),
        Document("empty", "\n"),
        page("short", 2, 3),
    ]

    parts = parts_from_documents(pages, LetterEncoder(), source="pages")
    corpus = build_corpus(parts, CARD, tmp_path / "corpus")

    assert corpus.document_ids == ["long", "short"]
    assert corpus.lengths.tolist() == [110, 3]
    assert list(corpus.ids)[109:112] == ["long#109", "short#0", "short#1"]
    assert corpus.texts is not None
    expected = LetterEncoder().encode(corpus.texts)
    cosines = (expected * corpus.vectors).sum(1) / np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    notes = corpus.card.notes
    assert notes["documents_without_text_left_out"] == 1
    assert notes["documents_found"] == 3
    assert notes["entries_found"] == 218
    assert notes["duplicate_documents_left_out"] == 1
    assert notes["duplicate_entries_left_out"] == 105
    assert notes["long_documents"] == 1
    assert 0 < notes["mean_coherence"] < 1
    assert left_behind(tmp_path) == ["corpus"]


def test_vectors_are_normalized_and_keep_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextvec.training.corpus.building._BLOCK", 7)
    rows = random_rows(230)
    rows[101:111] = rows[:10]  # the second document is inside the first
    parts = rows_parts([101, 10, 119], rows, ids=[f"row {n}" for n in range(230)])

    corpus = build_corpus(parts, CARD, tmp_path / "corpus")

    kept = np.concatenate([rows[:101], rows[111:]])
    expected = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    np.testing.assert_allclose(corpus.vectors, expected, atol=1e-6)
    assert corpus.document_ids == ["d0", "d2"]
    assert list(corpus.ids)[100:102] == ["row 100", "row 111"]
    assert corpus.fingerprint == load_corpus(tmp_path / "corpus").fingerprint


def test_incoherent_documents_can_be_left_out(tmp_path: Path) -> None:
    rows = random_rows(210)
    rows[:105] = [1.0, 2.0, 3.0] + 0.1 * rows[:105]

    corpus = build_corpus(
        rows_parts([105, 105], rows), CARD, tmp_path / "corpus", min_coherence=0.9
    )

    assert corpus.document_ids == ["d0"]
    assert corpus.card.notes["incoherent_documents_left_out"] == 1
    assert corpus.card.notes["min_coherence"] == 0.9
    assert corpus.card.notes["mean_coherence"] > 0.9


@pytest.mark.parametrize(
    ("lengths", "rows", "min_coherence", "message"),
    [
        pytest.param(
            [100, 5],
            random_rows(105),
            None,
            "rows: no document is long enough: .* 101 entries .* of 2 has 100",
            id="too-short",
        ),
        pytest.param(
            [101],
            random_rows(101),
            0.9,
            "coherence below 0.9 left out: no document .* of 0 has 0",
            id="too-incoherent",
        ),
        pytest.param(
            [101, 150],
            np.concatenate([random_rows(101), random_rows(30)[np.arange(150) % 30]]),
            0.9,
            "no document is long enough",
            id="both-incoherent",
        ),
    ],
)
def test_nothing_is_written_without_a_long_document(
    tmp_path: Path,
    lengths: list[int],
    rows: Float32,
    min_coherence: float | None,
    message: str,
) -> None:
    with pytest.raises(CorpusError, match=message):
        build_corpus(
            rows_parts(lengths, rows),
            CARD,
            tmp_path / "corpus",
            min_coherence=min_coherence,
        )

    assert left_behind(tmp_path) == []


def test_a_name_that_occurs_twice_leaves_the_old_corpus(tmp_path: Path) -> None:
    parts = rows_parts([101, 101], random_rows(202))
    old = build_corpus(parts, CARD, tmp_path / "corpus")
    twice = Parts(
        name="twice",
        document_ids=["d", "d"],
        lengths=parts.lengths,
        keys=parts.keys,
        dim=3,
        read=parts.read,
    )

    with pytest.raises(CorpusError, match="occurs twice"):
        build_corpus(twice, CARD, tmp_path / "corpus")

    assert load_corpus(tmp_path / "corpus").fingerprint == old.fingerprint
    assert left_behind(tmp_path) == ["corpus"]


def test_a_text_that_cannot_be_encoded_is_named(tmp_path: Path) -> None:
    document = page("long", 1, 110)
    odd = Document("odd", "1 2 3 4 5 6 7 8 9.")
    parts = parts_from_documents([document, odd], LetterEncoder(), source="pages")

    with pytest.raises(VectorError, match=r"pages: .* letters: row 110 is a zero"):
        build_corpus(parts, CARD, tmp_path / "corpus")

    assert left_behind(tmp_path) == []


def test_documents_without_a_word_are_refused() -> None:
    with pytest.raises(CorpusError, match=r"pages: expected documents with text"):
        parts_from_documents([Document("a", " ")], LetterEncoder(), source="pages")


def test_the_longest_document_decides() -> None:
    require_long_document(np.array([3, 101]), "x")

    with pytest.raises(CorpusError, match=r"x: no document .* of 0 has 0"):
        require_long_document(np.array([], dtype=np.int64), "x")


def test_an_empty_file_of_vectors_is_a_damaged_corpus(tmp_path: Path) -> None:
    build_corpus(rows_parts([101], random_rows(101)), CARD, tmp_path / "corpus")
    (tmp_path / "corpus" / "vectors.npy").write_bytes(b"")

    with pytest.raises(CorpusError, match="the corpus is damaged"):
        load_corpus(tmp_path / "corpus")


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    stale = tmp_path / ".corpus.rows.scratch"
    stale.mkdir()
    (stale / "half").write_text("half")
    other = tmp_path / ".corpus.arrays.scratch"
    other.mkdir()

    with scratch_folder(tmp_path / "corpus", "rows") as scratch:
        assert scratch.parent == tmp_path
        assert list(scratch.iterdir()) == []

    assert left_behind(tmp_path) == [other.name]


@pytest.mark.slow
def test_768_numbers_are_never_all_in_memory(tmp_path: Path) -> None:
    count, dim = 40_000, 768
    file = tmp_path / "big.npy"
    vectors = np.lib.format.open_memmap(file, "w+", np.float32, (count, dim))
    rng = np.random.default_rng(0)
    for start in range(0, count, 1000):
        vectors[start : start + 1000] = rng.random((1000, dim), np.float32)
    vectors.flush()
    size_bytes = vectors.nbytes
    del vectors
    (tmp_path / "big.lengths.txt").write_text("200\n" * (count // 200))

    tracemalloc.start()
    try:
        parts = read_vectors([file], tmp_path).parts
        corpus: Corpus = build_corpus(parts, CARD, tmp_path / "corpus")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert corpus.dim == dim
    assert len(corpus.vectors) == count
    assert isinstance(corpus.vectors, np.memmap)
    assert peak_bytes < size_bytes
