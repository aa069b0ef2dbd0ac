import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import (
    corpus_name,
    load_corpus,
    read_card,
    save_corpus,
    save_streamed,
)
from nextvec.training.errors import CorpusError

MakeCorpus = Callable[..., Corpus]


def assert_same(found: Corpus, expected: Corpus) -> None:
    assert np.array_equal(found.vectors, expected.vectors)
    assert found.vectors.dtype == np.float32
    assert np.array_equal(found.rows, expected.rows)
    assert np.array_equal(found.offsets, expected.offsets)
    assert list(found.ids) == list(expected.ids)
    assert list(found.document_ids) == list(expected.document_ids)
    assert found.texts == expected.texts
    assert found.kind == expected.kind
    assert found.card == expected.card
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize("texts", [True, False], ids=["texts", "no texts"])
def test_documents_come_back_bit_for_bit(
    make_corpus: MakeCorpus, tmp_path: Path, texts: bool
) -> None:
    card = CorpusCard(
        name="ü",
        encoder="e",
        source="s",
        licenses={"a": "MIT"},
        windows_declared_independent=True,
        notes={"left out": {"short": 3}},
    )
    corpus = replace(make_corpus([3, 1, 7], texts=texts), card=card)

    returned = save_corpus(corpus, tmp_path / "corpus")

    assert_same(returned, corpus)
    assert_same(load_corpus(tmp_path / "corpus"), corpus)
    assert not (tmp_path / "corpus" / "rows.npy").exists()


def test_families_come_back(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = replace(make_corpus([3, 1, 7]), families=np.array([4, 0, 4]))

    returned = save_corpus(corpus, tmp_path / "corpus")

    assert_same(returned, corpus)
    assert returned.families is not None
    assert returned.families.tolist() == [4, 0, 4]
    assert read_card(tmp_path / "corpus")["num_families"] == 2


def test_without_families_the_folder_is_what_it_was(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = save_corpus(make_corpus([3, 1, 7]), tmp_path / "corpus")

    assert corpus.families is None
    assert "num_families" not in read_card(tmp_path / "corpus")
    assert not (tmp_path / "corpus" / "families.npy").exists()


def test_families_that_are_gone_are_missed(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = replace(make_corpus([3, 1, 7]), families=np.array([4, 0, 4]))
    save_corpus(corpus, tmp_path / "corpus")
    (tmp_path / "corpus" / "families.npy").unlink()

    with pytest.raises(CorpusError, match=r"is damaged: .*families"):
        load_corpus(tmp_path / "corpus")


def test_a_folder_is_asked_for_its_corpus(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    save_corpus(make_corpus([3]), tmp_path / "corpus")

    assert corpus_name(tmp_path / "corpus") == "tiny"
    assert corpus_name(tmp_path / "empty") is None
    assert corpus_name(tmp_path / "none") is None
    with pytest.raises(CorpusError, match="expected a corpus or no such folder"):
        corpus_name(tmp_path)


def test_sessions_come_back_bit_for_bit(make_items: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_items([30, 21, 44])

    save_corpus(corpus, tmp_path / "corpus")

    assert_same(load_corpus(tmp_path / "corpus"), corpus)


def test_the_recorded_fingerprint_is_that_of_what_was_written(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    loaded = save_corpus(make_corpus([3, 1, 7]), tmp_path / "corpus")

    recomputed = replace(loaded, texts=None).fingerprint

    assert read_card(tmp_path / "corpus")["fingerprint"] == recomputed


def test_vectors_stay_on_disk_until_they_are_used(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    loaded = save_corpus(make_corpus([3, 1, 7]), tmp_path / "corpus")

    assert isinstance(loaded.vectors, np.memmap)
    assert not loaded.vectors.flags.writeable


def test_an_older_corpus_is_replaced_whole(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    save_corpus(make_corpus([3, 1], texts=True), tmp_path / "corpus")

    save_corpus(make_corpus([5]), tmp_path / "corpus")

    loaded = load_corpus(tmp_path / "corpus")
    assert loaded.lengths.tolist() == [5]
    assert loaded.texts is None


def test_vectors_in_blocks_make_the_same_corpus(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = make_corpus([3, 1, 7], texts=True)
    shape_only = np.lib.stride_tricks.as_strided(
        np.zeros(1, np.float32), corpus.vectors.shape, (0, 0)
    )

    streamed = save_streamed(
        replace(corpus, vectors=shape_only),
        np.array_split(corpus.vectors, 4),
        tmp_path / "corpus",
    )

    assert_same(streamed, corpus)


def test_too_few_streamed_vectors_write_nothing(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = make_corpus([3, 1, 7])

    with pytest.raises(CorpusError, match="tiny: expected 11 vectors, got 10"):
        save_streamed(corpus, [corpus.vectors[:10]], tmp_path / "corpus")

    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_too_many_streamed_vectors_write_nothing(
    make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = make_corpus([3, 1, 7])
    blocks = [corpus.vectors[:9], corpus.vectors[:9]]

    with pytest.raises(CorpusError, match="tiny: expected 11 vectors, got 18"):
        save_streamed(corpus, blocks, tmp_path / "corpus")

    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_folder_without_a_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=f"{tmp_path}: no corpus here"):
        load_corpus(tmp_path)


def change_card(folder: Path, **told: object) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))


def drop_from_card(folder: Path, name: str) -> None:
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card[name]
    path.write_text(json.dumps(card))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda f: (f / "card.json").write_text("{"),
            "card.json: not JSON",
            id="card",
        ),
        pytest.param(
            lambda f: (f / "card.json").write_text("[]"),
            "format 1, got None",
            id="list",
        ),
        pytest.param(
            lambda f: change_card(f, format=9), "corpus format 1, got 9", id="format"
        ),
        pytest.param(
            lambda f: drop_from_card(f, "encoder"),
            "is damaged: 'encoder'",
            id="encoder",
        ),
        pytest.param(
            lambda f: drop_from_card(f, "fingerprint"),
            "damaged: 'fing",
            id="fingerprint",
        ),
        pytest.param(
            lambda f: truncate(f / "vectors.npy"), "corpus: the corpus is", id="vectors"
        ),
        pytest.param(
            lambda f: (f / "vectors.npy").write_bytes(b""), "is damaged", id="nothing"
        ),
        pytest.param(
            lambda f: (f / "vectors.npy").unlink(), "is damaged", id="no vectors"
        ),
        pytest.param(lambda f: truncate(f / "offsets.npy"), "is damaged", id="offsets"),
        pytest.param(
            lambda f: np.save(f / "offsets.npy", np.array([0, "a"], dtype=object)),
            "is damaged",
            id="pickled offsets",
        ),
        pytest.param(
            lambda f: np.save(f / "vectors.npy", np.ones((10, 8), np.float32)),
            "10 vectors but 11 ids",
            id="other vectors",
        ),
        pytest.param(
            lambda f: np.save(f / "vectors.npy", np.ones(11, np.float32)),
            r"vectors \(N, D\)",
            id="flat vectors",
        ),
        pytest.param(
            lambda f: (f / "ids.json").write_text('["a"'),
            "is damaged",
            id="ids",
        ),
        pytest.param(
            lambda f: (f / "ids.json").write_text("7"), "is damaged", id="no list"
        ),
        pytest.param(
            lambda f: (f / "texts.json").write_text('["a"]'),
            "11 vectors but 1 texts",
            id="texts",
        ),
    ],
)
def test_a_damaged_corpus_is_refused(
    make_corpus: MakeCorpus,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    save_corpus(make_corpus([3, 1, 7], texts=True), tmp_path / "corpus")
    spoil(tmp_path / "corpus")

    with pytest.raises(CorpusError, match=message):
        load_corpus(tmp_path / "corpus")
