from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.errors import TrainingError
from nextvec.training.study.splits import splits_of


def corpus_of(split: int | None = None, lengths: tuple[int, ...] = (3, 2)) -> Corpus:
    made_for = {"seed": split, "validation": 0.15, "test": 0.25}
    return Corpus(
        vectors=np.eye(4, dtype=np.float32),
        ids=["a", "b", "c", "d"],
        rows=np.arange(sum(lengths)) % 4,
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        document_ids=[f"s{n}" for n in range(len(lengths))],
        card=CorpusCard(
            name=f"split{split}",
            encoder="none",
            source="made by a test",
            vectors_split=None if split is None else made_for,
        ),
        kind="items",
    )


def named(*corpora: Corpus) -> dict[Path, Corpus]:
    return {Path(f"corpus{n}"): corpus for n, corpus in enumerate(corpora)}


def test_vectors_made_for_no_split_take_the_recipes_or_those_that_are_named() -> None:
    own = named(corpus_of())

    assert [one.seed for one in splits_of(own, None)] == [None]
    assert [one.seed for one in splits_of(own, [4, 2, 4])] == [4, 2]


def test_vectors_made_for_a_split_are_split_so() -> None:
    found = splits_of(named(corpus_of(3), corpus_of(0)), None)

    assert [(one.folder.name, one.seed) for one in found] == [
        ("corpus0", 3),
        ("corpus1", 0),
    ]
    assert [one.seed for one in splits_of(named(corpus_of(3)), [3])] == [3]


@pytest.mark.parametrize(
    ("corpora", "seeds", "words"),
    [
        pytest.param(
            [corpus_of(3)], [3, 4], "made for split seed 3, got 3, 4", id="other seed"
        ),
        pytest.param(
            [corpus_of(3), corpus_of(3)], None, "to pool, got 3, 3", id="same seed"
        ),
        pytest.param(
            [corpus_of(), corpus_of(1)], None, "got the recipe's, 1", id="no seed"
        ),
        pytest.param(
            [corpus_of(1), corpus_of(2, (2, 3))],
            None,
            "split2 and split1: expected the same sequences",
            id="other sequences",
        ),
        pytest.param(
            [replace(corpus_of(lengths=(2, 2)), kind="documents")],
            [1, 2],
            "expected item sequences to pool, got documents",
            id="documents",
        ),
    ],
)
def test_what_cannot_be_pooled_is_refused(
    corpora: list[Corpus], seeds: list[int] | None, words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        splits_of(named(*corpora), seeds)
