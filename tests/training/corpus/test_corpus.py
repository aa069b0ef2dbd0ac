from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import l2_normalize

MakeCorpus = Callable[..., Corpus]


def test_a_sequence_is_the_rows_of_its_document(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([3, 1, 4])

    assert [corpus.sequence(d).tolist() for d in range(3)] == [
        [0, 1, 2],
        [3],
        [4, 5, 6, 7],
    ]
    assert corpus.lengths.tolist() == [3, 1, 4]
    assert corpus.dim == 8


def test_every_row_knows_its_document_and_position(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([3, 1, 2])

    assert corpus.document_of_row.tolist() == [0, 0, 0, 1, 2, 2]
    assert corpus.position_of_row.tolist() == [0, 1, 2, 0, 0, 1]
    assert corpus.row_of_id["doc2#1"] == 5


def test_an_item_belongs_to_the_first_session_it_occurs_in(
    make_items: MakeCorpus,
) -> None:
    corpus = replace(make_items([3, 3], items=5), rows=np.array([2, 0, 2, 3, 0, 4]))

    assert corpus.document_of_row.tolist() == [0, -1, 0, 1, 1]
    assert corpus.position_of_row.tolist() == [1, -1, 0, 0, 2]


def test_selecting_documents_keeps_their_rows_in_order(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([3, 2, 4], texts=True)

    chosen = corpus.select([2, 0], name="part")

    assert chosen.card.name == "part"
    assert list(chosen.document_ids) == ["doc2", "doc0"]
    assert list(chosen.ids)[:5] == ["doc2#0", "doc2#1", "doc2#2", "doc2#3", "doc0#0"]
    assert chosen.texts is not None
    assert chosen.texts[4] == "text of doc0#0"
    assert np.array_equal(chosen.vectors[:4], corpus.vectors[5:9])
    assert not np.shares_memory(chosen.vectors, corpus.vectors)


def test_selecting_sessions_keeps_each_item_once(make_items: MakeCorpus) -> None:
    corpus = make_items([30, 30, 30])

    chosen = corpus.select([1], name="part")

    names = [corpus.ids[r] for r in corpus.sequence(1)]
    assert [chosen.ids[r] for r in chosen.sequence(0)] == names
    assert sorted(chosen.ids) == sorted(set(names))
    assert chosen.texts is None


def test_selected_documents_keep_their_families(make_corpus: MakeCorpus) -> None:
    corpus = replace(make_corpus([3, 2, 4]), families=np.array([5, 6, 5]))

    chosen = corpus.select([2, 1], name="part")

    assert chosen.families is not None
    assert chosen.families.tolist() == [5, 6]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: {"vectors": -c.vectors}, id="a vector"),
        pytest.param(lambda c: {"ids": ["x", *c.ids[1:]]}, id="a name"),
        pytest.param(lambda _: {"document_ids": ["x", "y"]}, id="a document"),
        pytest.param(lambda _: {"offsets": np.array([0, 3, 5])}, id="a boundary"),
        pytest.param(lambda c: {"rows": c.rows[::-1].copy()}, id="an order"),
        pytest.param(lambda _: {"kind": "items"}, id="the kind"),
        pytest.param(lambda _: {"families": np.array([0, 1])}, id="families"),
    ],
)
def test_the_fingerprint_tells_what_changes_a_number(
    make_corpus: MakeCorpus, change: Callable[[Corpus], dict[str, Any]]
) -> None:
    corpus = make_corpus([2, 3])

    other = replace(corpus, **change(corpus))

    assert other.fingerprint != corpus.fingerprint


def test_texts_and_card_leave_the_fingerprint_alone(make_corpus: MakeCorpus) -> None:
    with_texts, without = make_corpus([2, 3], texts=True), make_corpus([2, 3])
    renamed = replace(without, card=replace(without.card, name="another"))

    assert with_texts.fingerprint == without.fingerprint == renamed.fingerprint
    assert len(without.fingerprint) == 64


def test_the_fingerprint_does_not_depend_on_how_it_is_read(
    make_corpus: MakeCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_corpus([50, 60]).fingerprint

    monkeypatch.setattr("nextvec.training.corpus.corpus._HASH_BLOCK", 7)

    assert make_corpus([50, 60]).fingerprint == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"ids": ["a"]}, "tiny: 5 vectors but 1 ids", id="ids"),
        pytest.param({"texts": ["a"]}, "tiny: 5 vectors but 1 texts", id="texts"),
        pytest.param(
            {"offsets": np.array([0, 5])}, "2 documents need 3 offsets", id="offsets"
        ),
        pytest.param({"offsets": np.array([0, 2, 4])}, "from 0 to 5", id="end"),
        pytest.param({"offsets": np.array([1, 2, 5])}, "from 0 to 5", id="start"),
        pytest.param(
            {"rows": np.array([0, 1, 2, 3, 5])}, r"a row outside 0\.\.4", id="above"
        ),
        pytest.param(
            {"rows": np.array([-1, 1, 2, 3, 4])}, r"a row outside 0\.\.4", id="below"
        ),
        pytest.param(
            {"offsets": np.array([0, 5, 5])}, "document 'doc1' is empty", id="empty"
        ),
        pytest.param(
            {"ids": list("abcbd")}, "tiny: id 'b' occurs twice", id="id twice"
        ),
        pytest.param(
            {"document_ids": ["a", "a"]}, "document id 'a' occurs", id="document twice"
        ),
        pytest.param(
            {"vectors": np.ones(5, np.float32)}, r"expected vectors \(N, D\)", id="1-D"
        ),
        pytest.param(
            {"families": np.array([0])}, "tiny: 2 documents but 1 fam", id="families"
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    make_corpus: MakeCorpus, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        replace(make_corpus([2, 3]), **change)


def test_vectors_of_the_walk_are_unit_rows(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([4, 4])

    np.testing.assert_allclose(corpus.vectors, l2_normalize(corpus.vectors), atol=1e-6)
