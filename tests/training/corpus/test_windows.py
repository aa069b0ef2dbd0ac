from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import cut_windows

MakeCorpus = Callable[..., Corpus]


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    stride=st.integers(1, 7),
    context_length=st.integers(1, 9),
)
def test_windows_are_every_stride_of_every_document(
    make_corpus: MakeCorpus, lengths: list[int], stride: int, context_length: int
) -> None:
    corpus = make_corpus(lengths, dim=2)
    documents = np.arange(len(lengths))

    windows = cut_windows(
        corpus, documents, stride=stride, context_length=context_length
    )

    expected = []
    for document, length in enumerate(lengths):
        start = 0
        while start + context_length < length:
            rows = corpus.sequence(document)[start : start + context_length + 1]
            expected.append((document, start + context_length, rows.tolist()))
            start += stride
    found = [
        (document, position, [*context, target])
        for document, position, context, target in zip(
            windows.documents.tolist(),
            windows.positions.tolist(),
            windows.context_rows.tolist(),
            windows.target_rows.tolist(),
            strict=True,
        )
    ]
    assert found == expected
    assert (windows.lengths == context_length).all()
    assert windows.width == context_length
    assert len(windows) == len(expected)


def test_full_windows_have_a_hundred_vectors_and_start_every_ten(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([100, 101, 125], dim=2)

    windows = cut_windows(corpus, np.arange(3))

    assert windows.documents.tolist() == [1, 2, 2, 2]
    assert windows.positions.tolist() == [100, 100, 110, 120]
    assert windows.context_rows.shape == (4, 100)


def test_only_the_named_documents_are_cut(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([110, 110, 110], dim=2)

    windows = cut_windows(corpus, np.array([1]))

    assert set(windows.documents.tolist()) == {1}


def test_sessions_need_twenty_items_of_context(make_items: MakeCorpus) -> None:
    corpus = make_items([20, 21, 150])

    windows = cut_windows(corpus, np.arange(3), stride=10)

    assert windows.documents.tolist() == [1] + [2] * 13
    assert windows.lengths.tolist() == [20, *range(20, 101, 10), *[100] * 4]
    for query in range(len(windows)):
        sequence = corpus.sequence(int(windows.documents[query]))
        end, length = int(windows.positions[query]), int(windows.lengths[query])
        context = windows.context_rows[query]
        assert context[:length].tolist() == sequence[end - length : end].tolist()
        assert (context[length:] == -1).all()
        assert windows.target_rows[query] == sequence[end]


@given(length=st.integers(1, 120))
def test_truncating_keeps_the_newest(make_items: MakeCorpus, length: int) -> None:
    corpus = make_items([21, 60, 130])
    windows = cut_windows(corpus, np.arange(3), stride=7)

    short = windows.truncated(length)

    assert short.width == length
    assert np.array_equal(short.target_rows, windows.target_rows)
    assert np.array_equal(short.positions, windows.positions)
    for query in range(len(windows)):
        whole = [row for row in windows.context_rows[query].tolist() if row >= 0]
        kept = whole[-length:]
        padding = [-1] * (length - len(kept))
        assert short.context_rows[query].tolist() == kept + padding
        assert short.lengths[query] == len(kept)


def test_contexts_are_vectors_and_padding_is_zero(make_items: MakeCorpus) -> None:
    corpus = make_items([21, 130])
    windows = cut_windows(corpus, np.arange(2), stride=50)

    contexts = windows.contexts(corpus.vectors)

    assert contexts.shape == (len(windows), 100, 6)
    for query, length in enumerate(windows.lengths.tolist()):
        rows = windows.context_rows[query, :length]
        assert np.array_equal(contexts[query, :length], corpus.vectors[rows])
        assert not contexts[query, length:].any()


def test_a_choice_of_windows_keeps_their_parts_together(
    make_corpus: MakeCorpus,
) -> None:
    windows = cut_windows(make_corpus([105, 104], dim=2), np.arange(2), stride=1)

    chosen = windows.take(np.array([6, 0]))
    masked = windows.take(windows.documents == 1)

    assert chosen.positions.tolist() == [windows.positions[6], windows.positions[0]]
    assert chosen.target_rows.tolist() == [
        windows.target_rows[6],
        windows.target_rows[0],
    ]
    assert set(masked.documents.tolist()) == {1}
    assert len(masked.context_rows) == len(masked) == 4


def test_no_document_gives_no_window(make_corpus: MakeCorpus) -> None:
    windows = cut_windows(make_corpus([50], dim=2), np.arange(1))

    assert len(windows) == 0
    assert windows.contexts(np.ones((50, 2), np.float32)).shape == (0, 100, 2)


def test_a_stride_below_one_is_refused(make_corpus: MakeCorpus) -> None:
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        cut_windows(make_corpus([5]), np.arange(1), stride=0)
