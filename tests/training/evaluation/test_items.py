"""The protocol's paragraph on item sequences."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.repeats import repeat_share
from nextvec.training.corpus.split import Split, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.baselines import (
    Popularity,
    WeightedMean,
    fit_baselines,
)
from nextvec.training.evaluation.evaluation import Judge, mean_cosine
from nextvec.training.evaluation.suite import Suite, build_suite
from nextvec.training.vectors import Int64, l2_normalize

MakeItems = Callable[..., Corpus]


def sequences(*entries: list[int], items: int = 60) -> Corpus:
    rng = np.random.default_rng(0)
    lengths = [len(rows) for rows in entries]
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(items, 4))),
        ids=[f"item{i}" for i in range(items)],
        rows=np.concatenate([np.array(rows, dtype=np.int64) for rows in entries]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        document_ids=[f"session{s}" for s in range(len(entries))],
        card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
        kind="items",
    )


def split_of(train: list[int], validation: list[int], test: list[int]) -> Split:
    parts = (np.array(part, dtype=np.int64) for part in (train, validation, test))
    return Split(**dict(zip(("train", "validation", "test"), parts, strict=True)))


def suite_of(corpus: Corpus, split: Split) -> Suite:
    groups: Int64 = np.arange(len(corpus.vectors))
    return build_suite(corpus, split, groups, "validation", stride=1)


def test_items_have_the_whole_catalogue_as_their_only_pool(
    make_items: MakeItems,
) -> None:
    corpus = make_items([60] * 20)
    split = split_documents(corpus, SplitConfig())

    suite = suite_of(corpus, split)

    assert [pool.name for pool in suite.pools] == ["index"]
    assert suite.pool("index").size == 40
    assert (suite.k, suite.primary) == (10, "index")


def test_windows_of_items_hold_20_to_100_entries_with_a_vector() -> None:
    rows = [-1 if place % 3 == 0 else place % 60 for place in range(300)]
    corpus = sequences(rows)

    windows = cut_windows(corpus, np.array([0]), stride=1)

    assert windows.lengths.min() == 20
    assert windows.lengths.max() == 100
    for number, position in enumerate(windows.positions.tolist()):
        known = [row for row in rows[:position] if row >= 0]
        length = int(windows.lengths[number])
        assert windows.context_rows[number, :length].tolist() == known[-100:]
        assert windows.target_rows[number] == rows[position]


def test_a_target_that_training_never_met_is_a_miss_and_is_counted() -> None:
    train = list(range(30))
    # 40 has a vector but is in no training sequence; -1 has none
    validation = [*range(20), 40, 5, -1, 6]
    corpus = sequences(train, validation, train[::-1])
    split = split_of([0], [1], [2])

    suite = suite_of(corpus, split)

    # 5 and 6 return to their own context, where training has no repeats
    assert suite.windows.target_rows.tolist() == [-1, 5, -1, 6]
    assert suite.num_unseen == 2
    judge = Judge(torch.from_numpy(np.asarray(corpus.vectors)), np.arange(60), suite)
    perfect = torch.ones(4, 4)
    assert (judge.ranks(perfect)["index"] == 61).all()
    assert judge.evaluate(perfect).num_unseen == 2


def test_the_cosine_is_taken_where_there_is_a_target() -> None:
    corpus = sequences(list(range(30)), [*range(20), 40, 25], list(range(30)))
    suite = suite_of(corpus, split_of([0], [1], [2]))
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    guess = vectors[[3, 25]]

    assert suite.windows.target_rows.tolist() == [-1, 25]
    assert mean_cosine(guess, suite.windows, vectors) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("train", "excluded"),
    [([*range(40)], True), ([*range(20), *range(20)], False)],
    ids=["no repeats", "repeats"],
)
def test_context_items_are_candidates_only_if_training_has_repeats(
    train: list[int], excluded: bool
) -> None:
    corpus = sequences(train, [*range(20), 7], [*range(25)])

    suite = suite_of(corpus, split_of([0], [1], [2]))

    assert suite.excludes_context == excluded
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    judge = Judge(vectors, np.arange(60), suite)
    evaluation = judge.evaluate(vectors[[7]])
    assert judge.ranks(vectors[[7]])["index"].tolist() == [61 if excluded else 1]
    assert evaluation.excludes_context == excluded
    included = evaluation.pools[0].hit_context_included
    assert included == (1.0 if excluded else None)


def test_the_share_of_repeats_agrees_with_a_slow_obvious_count(
    make_items: MakeItems,
) -> None:
    corpus = make_items([150, 30, 80], items=70)
    documents = np.array([0, 2])

    repeats = total = 0
    for document in documents.tolist():
        rows = corpus.sequence(document).tolist()
        for place in range(1, len(rows)):
            repeats += rows[place] in rows[max(0, place - 25) : place]
            total += 1

    assert repeat_share(corpus, documents, context_length=25) == repeats / total
    assert repeat_share(sequences([3]), np.array([0])) == 0


def test_a_sequence_in_two_parts_is_a_leak() -> None:
    shared = [*range(30)]
    corpus = sequences(shared, [*range(10, 50)], [*range(50)], shared)
    clean = suite_of(corpus, split_of([0], [1], [2]))

    # the same items in the same order under another name
    copied = suite_of(corpus, split_of([0], [1, 3], [2]))
    # one number dealt out twice
    twice = suite_of(corpus, split_of([0, 2], [1, 2], [3]))

    assert clean.num_leaked == 0
    assert copied.num_leaked == 10
    assert twice.num_leaked == 30
    assert not copied.is_clean
    with pytest.raises(CorpusError, match="no validation window is left of 10"):
        suite_of(corpus, split_of([0], [3], [2]))


def test_a_test_sequence_that_validated_the_model_is_a_leak() -> None:
    shared = [*range(30)]
    corpus = sequences([*range(10, 50)], shared, shared, [*range(50)])
    split, groups = split_of([0], [1], [2, 3]), np.arange(60)

    judged = build_suite(corpus, split, groups, "test", stride=1)

    assert suite_of(corpus, split).num_leaked == 0
    assert judged.num_leaked == 10
    assert set(judged.windows.documents.tolist()) == {3}


def test_popularity_ranks_by_training_entries_alone() -> None:
    train = [*range(25), 3, 3, 4]
    corpus = sequences(train, [*range(30, 50), 3, 4, 24], [*range(25)])
    split = split_of([0], [1], [2])
    suite = suite_of(corpus, split)
    judge = Judge(torch.from_numpy(np.asarray(corpus.vectors)), np.arange(60), suite)

    popularity = Popularity.fit(corpus, split.train)
    ranks = popularity.ranks(judge, torch.empty(0), torch.empty(0))["index"]

    # 3 three times, 4 twice, then 22 others once: ties count against the target;
    # within the third window 3 and 4 are no candidates any more
    assert suite.windows.target_rows.tolist() == [3, 4, 24]
    assert suite.excludes_context is False
    assert ranks.tolist() == [1, 2, 25]


def test_popularity_is_a_baseline_of_items_only(
    make_items: MakeItems, tiny_corpus: Corpus
) -> None:
    names = []
    for corpus in (make_items([40] * 6), tiny_corpus):
        vectors = torch.from_numpy(np.asarray(corpus.vectors))
        fitted = fit_baselines(vectors, corpus, np.arange(3))
        names.append([baseline.family for baseline in fitted])

    assert "popularity" in names[0]
    assert "popularity" not in names[1]
    assert WeightedMean((1.0,)).family in names[0]


def test_entries_without_a_vector_are_in_no_selection_and_no_document() -> None:
    corpus = sequences([5, -1, 6], [-1, 7, 5])

    chosen = corpus.select([1, 0], name="some")

    assert chosen.ids == ["item5", "item6", "item7"]
    assert chosen.rows.tolist() == [-1, 2, 0, 0, -1, 1]
    assert corpus.document_of_row[[5, 6, 7, 8]].tolist() == [0, 0, 1, -1]
    assert corpus.position_of_row[[5, 6, 7, 8]].tolist() == [0, 2, 1, -1]
    assert corpus.rows_of(np.array([0, 1])).tolist() == [5, 6, 7]
    with pytest.raises(CorpusError, match=r"names a row outside 0\.\."):
        replace(corpus, kind="documents")
