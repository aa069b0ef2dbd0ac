import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.unique import row_keys, text_keys, unique_documents

documents = st.lists(
    st.lists(st.integers(0, 12), min_size=1, max_size=12), min_size=1, max_size=12
)


def unique(found: list[list[int]], share: float = 0.8) -> tuple[list[int], int]:
    keys = np.array([key for document in found for key in document], dtype=np.uint64)
    lengths = np.array([len(document) for document in found])
    result = unique_documents(keys, lengths, share=share)
    return result.kept.tolist(), result.num_dropped


def slow_unique(found: list[list[int]], share: float = 0.8) -> list[int]:
    """Compare everything with everything, as the protocol says it."""
    order = sorted(
        range(len(found)), key=lambda d: (-len(set(found[d])), -len(found[d]), d)
    )
    kept: list[int] = []
    for document in order:
        own = set(found[document])
        if all(len(own & set(found[k])) < share * len(own) - 1e-9 for k in kept):
            kept.append(document)
    return sorted(kept)


@given(documents, st.sampled_from([0.5, 0.8, 1.0]))
def test_agrees_with_comparing_all_pairs(found: list[list[int]], share: float) -> None:
    kept, num_dropped = unique(found, share)

    assert kept == slow_unique(found, share)
    assert num_dropped == len(found) - len(kept)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        pytest.param([[1, 2, 3], [1, 2, 3]], [0], id="exact"),
        pytest.param([[1, 2], [3, 2, 1]], [1], id="inside-a-longer-one"),
        pytest.param([[1, 2, 3, 4, 5], [1, 2, 3, 4, 9, 8]], [1], id="four-of-five"),
        pytest.param([[1, 2, 3, 4], [1, 2, 3, 9, 8]], [0, 1], id="three-of-four"),
        pytest.param([[1, 1, 1, 1, 2], [1, 3]], [0, 1], id="repetitions-count-once"),
        pytest.param([[1], [2], [3]], [0, 1, 2], id="nothing-in-common"),
    ],
)
def test_the_share_is_of_the_smaller_document(
    found: list[list[int]], kept: list[int]
) -> None:
    assert unique(found)[0] == kept


def test_case_and_spacing_make_no_new_text() -> None:
    keys = text_keys(["Two  words\n", "two words", "two word"])

    assert keys[0] == keys[1] != keys[2]


def test_equal_rows_have_equal_keys() -> None:
    rows = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 0.5]], dtype=np.float32)

    keys = row_keys(rows)

    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("lengths", "share", "message"),
    [
        pytest.param([1], 0.8, "add up to 1, but there are 2", id="lengths"),
        pytest.param([2], 0.0, "share must lie", id="share-zero"),
        pytest.param([2], 1.1, "share must lie", id="share-above-one"),
    ],
)
def test_a_wrong_call_is_refused(
    lengths: list[int], share: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        unique_documents(np.zeros(2, np.uint64), np.array(lengths), share=share)


@pytest.mark.slow
def test_a_quarter_of_a_million_passages_take_seconds() -> None:
    rng = np.random.default_rng(5)
    found: list[np.ndarray] = []
    for _ in range(5000):
        own = rng.integers(0, 2**63, size=48, dtype=np.uint64)
        own[:2] = 7, 8  # boilerplate that all documents share
        found.append(own)
    found[-1] = found[0].copy()

    started = time.perf_counter()
    result = unique_documents(np.concatenate(found), np.full(len(found), 48))

    assert result.num_dropped == 1
    assert time.perf_counter() - started < 20


def test_it_is_told_how_many_documents_were_compared() -> None:
    told: list[tuple[int, int]] = []

    unique_documents(
        np.array([1, 2, 2, 3], dtype=np.uint64),
        np.array([2, 1, 1]),
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
