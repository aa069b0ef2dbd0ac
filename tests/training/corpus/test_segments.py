from collections import Counter
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.segments import batches, cut_segments

MakeCorpus = Callable[..., Corpus]

lengths_of_documents = st.lists(st.integers(1, 45), min_size=1, max_size=6)


@settings(max_examples=80)
@given(
    lengths=lengths_of_documents,
    context_length=st.integers(1, 12),
    seed=st.none() | st.integers(0, 99),
)
def test_every_row_but_the_first_is_a_target_exactly_once(
    make_corpus: MakeCorpus, lengths: list[int], context_length: int, seed: int | None
) -> None:
    corpus = make_corpus(lengths, dim=2)
    rng = None if seed is None else np.random.default_rng(seed)

    segments = cut_segments(
        corpus, np.arange(len(lengths)), context_length=context_length, rng=rng
    )

    targets = Counter(row for segment in segments for row in segment[1:] if row >= 0)
    firsts = set(corpus.offsets[:-1].tolist())
    expected = [row for row in range(sum(lengths)) if row not in firsts]
    assert targets == Counter(expected)
    for segment in segments:
        rows = segment[segment >= 0]
        assert len(rows) >= 2
        assert (np.diff(rows) == 1).all()
        assert len(set(corpus.document_of_row[rows].tolist())) == 1
        assert (segment[len(rows) :] == -1).all()


def test_cuts_move_from_epoch_to_epoch(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([500], dim=2)

    starts = {
        tuple(cut_segments(corpus, np.arange(1), rng=np.random.default_rng(s))[:, 0])
        for s in range(20)
    }

    assert len(starts) > 10


def test_without_a_generator_cuts_are_from_the_start(make_corpus: MakeCorpus) -> None:
    segments = cut_segments(make_corpus([250, 1, 3], dim=2), np.arange(3))

    assert segments[:, 0].tolist() == [0, 100, 200, 251]
    assert [int((s >= 0).sum()) for s in segments] == [101, 101, 50, 3]


def test_only_the_named_documents_are_cut(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([30, 30, 30], dim=2)

    segments = cut_segments(corpus, np.array([1]))

    assert segments[segments >= 0].tolist() == list(range(30, 60))


def test_documents_with_a_single_vector_have_nothing_to_predict(
    make_corpus: MakeCorpus,
) -> None:
    segments = cut_segments(make_corpus([1, 1], dim=2), np.arange(2))

    assert segments.shape == (0, 101)
    assert list(batches(segments, 4, np.random.default_rng(0))) == []


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(2, 120), min_size=1, max_size=12),
    size=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_batches_hold_every_stretch_once_and_nothing_wider(
    make_corpus: MakeCorpus, lengths: list[int], size: int, seed: int
) -> None:
    corpus = make_corpus(lengths, dim=2)
    segments = cut_segments(corpus, np.arange(len(lengths)))

    found = list(batches(segments, size, np.random.default_rng(seed)))

    stretches = [tuple(row[row >= 0]) for batch in found for row in batch]
    assert Counter(stretches) == Counter(tuple(row[row >= 0]) for row in segments)
    assert len(found) == -(-len(segments) // size)
    for batch in found:
        assert len(batch) <= size
        assert (batch >= 0).sum(axis=1).max() == batch.shape[1]


def test_batches_of_like_length_come_in_random_order(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(list(range(2, 100, 2)), dim=2)
    segments = cut_segments(corpus, np.arange(49))

    widths = [b.shape[1] for b in batches(segments, 4, np.random.default_rng(0))]

    assert widths != sorted(widths)
    assert max(widths) - min(widths) > 50
