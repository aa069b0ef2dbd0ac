import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.items.cooccurrence import (
    cooccurrence_vectors,
    count_pairs,
    positive_pmi,
)
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Int64

NUM_ITEMS = 6

some_sequences = st.lists(
    st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=9),
    min_size=1,
    max_size=5,
).map(lambda found: [np.array(items, dtype=np.int64) for items in found])


def slow_counts(sequences: list[Int64], window: int) -> np.ndarray:
    counts = np.zeros((NUM_ITEMS, NUM_ITEMS))
    for items in sequences:
        for here in range(len(items)):
            for there in range(len(items)):
                if here != there and abs(here - there) <= window:
                    counts[items[here], items[there]] += 1
    return counts


def slow_ppmi(counts: np.ndarray) -> np.ndarray:
    ppmi = np.zeros_like(counts)
    total = counts.sum()
    for i in range(NUM_ITEMS):
        for j in range(NUM_ITEMS):
            if counts[i, j] > 0:
                joint = counts[i, j] / total
                apart = counts[i].sum() / total * counts[:, j].sum() / total
                ppmi[i, j] = max(0.0, float(np.log(joint / apart)))
    return ppmi


@given(some_sequences, st.integers(1, 12))
def test_pairs_and_ppmi_agree_with_the_slow_way(
    sequences: list[Int64], window: int
) -> None:
    counts = count_pairs(sequences, NUM_ITEMS, window)
    ppmi = positive_pmi(counts)

    expected = slow_counts(sequences, window)
    np.testing.assert_array_equal(counts.toarray(), expected)
    np.testing.assert_allclose(ppmi.toarray(), slow_ppmi(expected), atol=1e-12)
    assert (ppmi.data > 0).all()


def random_sequences(seed: int = 0, num_items: int = 30) -> list[Int64]:
    """Walks on a circle: what is near is met together."""
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(num_items) + np.cumsum(rng.integers(-2, 3, 40))) % num_items
        for _ in range(30)
    ]


def vectors_of(
    sequences: list[Int64], num_items: int = 30, dim: int = 8
) -> tuple[Int64, np.ndarray]:
    config = CooccurrenceConfig(window=3, dim=dim)
    return cooccurrence_vectors(sequences, num_items, config, source="here")


def test_vectors_are_rows_of_the_dense_svd() -> None:
    sequences = random_sequences()
    ppmi = positive_pmi(count_pairs(sequences, 30, 3)).toarray()

    items, vectors = vectors_of(sequences)

    u, s, _ = np.linalg.svd(ppmi)
    dense = u[:, :8] * np.sqrt(s[:8])
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    assert items.tolist() == list(range(30))
    np.testing.assert_allclose(vectors @ vectors.T, dense @ dense.T, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_same_sequences_give_the_same_bits() -> None:
    first = vectors_of(random_sequences())[1]
    second = vectors_of(random_sequences())[1]

    np.testing.assert_array_equal(first, second)


def test_the_greatest_entry_of_each_factor_is_positive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = vectors_of(random_sequences())[1]
    real = __import__(
        "nextvec.training.corpus.items.cooccurrence", fromlist=["svds"]
    ).svds

    def turned(*args: object, **options: object) -> tuple[np.ndarray, ...]:
        u, s, v = real(*args, **options)
        return -u[:, ::-1], s[::-1], -v[::-1]

    monkeypatch.setattr("nextvec.training.corpus.items.cooccurrence.svds", turned)

    np.testing.assert_array_equal(vectors_of(random_sequences())[1], found)


def test_near_items_are_near() -> None:
    _, vectors = vectors_of(random_sequences())

    cosine = vectors @ vectors.T

    near = np.mean([cosine[i, (i + 1) % 30] for i in range(30)])
    far = np.mean([cosine[i, (i + 15) % 30] for i in range(30)])
    assert near > far + 0.3


def test_items_that_training_never_meets_have_no_vector() -> None:
    sequences = random_sequences()
    alone = np.array([31])

    items, vectors = vectors_of([*sequences, alone], num_items=33)

    assert items.tolist() == list(range(30))
    assert len(vectors) == 30
    # items that nobody meets leave the others as they were
    np.testing.assert_array_equal(vectors, vectors_of(sequences)[1])


def test_an_item_outside_the_factors_has_no_vector() -> None:
    # a pair that only meets each other is a factor of its own, and not the strongest
    sequences = [*random_sequences(), np.array([30, 31])]

    items, vectors = vectors_of(sequences, num_items=32, dim=1)

    assert items.tolist() == list(range(30))
    np.testing.assert_allclose(vectors, 1, atol=1e-6)


def test_too_few_items_are_named() -> None:
    with pytest.raises(
        CorpusError, match=r"here: vectors of length 30 need more than 30 .* found 30"
    ):
        vectors_of(random_sequences(), dim=30)


@pytest.mark.parametrize("field", ["window", "dim"])
def test_what_means_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}\s+Input should be greater than 0"):
        CooccurrenceConfig(**{field: 0})  # type: ignore[arg-type]


def test_few_items_get_shorter_vectors_where_that_is_allowed() -> None:
    config = CooccurrenceConfig(dim=128, is_at_most=True)

    items, vectors = cooccurrence_vectors(random_sequences(), 30, config, source="x")

    assert vectors.shape == (len(items), len(items) // 2)
