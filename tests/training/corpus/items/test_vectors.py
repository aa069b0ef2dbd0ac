from pathlib import Path

import numpy as np
import pytest

from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.items.vectors import (
    make_item_vectors,
    read_item_vectors,
    require_every_item,
)
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Int64

NUM_ITEMS = 25
CONFIG = CooccurrenceConfig(window=3, dim=6)


def walks(seed: int = 0, num: int = 20) -> list[Int64]:
    rng = np.random.default_rng(seed)
    return [
        np.abs(rng.integers(NUM_ITEMS) + np.cumsum(rng.integers(-2, 3, 30))) % NUM_ITEMS
        for _ in range(num)
    ]


def sequences_of(found: list[Int64], num_items: int = NUM_ITEMS) -> ItemSequences:
    return ItemSequences(
        source="here",
        sequence_ids=[f"s{number}" for number in range(len(found))],
        lengths=np.array([len(items) for items in found]),
        item_ids=[f"i{item}" for item in range(num_items)],
        items=np.concatenate(found),
    )


@pytest.mark.parametrize("seed", [0, 3])
def test_validation_and_test_sequences_change_no_vector(seed: int) -> None:
    split = SplitConfig(seed=seed)
    found = walks()
    parts = sequences_of(found).split(split)
    other = [items.copy() for items in found]
    for number in (*parts.validation, *parts.test):
        other[number] = np.full(30, NUM_ITEMS)  # an item that training never meets

    first = make_item_vectors(sequences_of(found), CONFIG, split)
    second = make_item_vectors(sequences_of(other, NUM_ITEMS + 1), CONFIG, split)

    assert first.ids == second.ids
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.vectors_split == {"seed": seed, "validation": 0.15, "test": 0.25}


def test_training_sequences_do() -> None:
    found = walks()
    parts = sequences_of(found).split(SplitConfig())
    other = [*found]
    other[int(parts.train[0])] = found[int(parts.train[0])][::-1] // 2

    first = make_item_vectors(sequences_of(found), CONFIG, SplitConfig())
    second = make_item_vectors(sequences_of(other), CONFIG, SplitConfig())

    assert not np.array_equal(first.vectors, second.vectors)


def test_vectors_that_were_brought_are_normalized(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", ids=[7, 8], vectors=[[3.0, 4.0], [0.0, 2.0]])

    found = read_item_vectors(tmp_path / "v.npz", tmp_path)

    assert found.ids == ["7", "8"]
    expected = np.array([[0.6, 0.8], [0, 1]], dtype=np.float32)
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-6)
    assert found.vectors.dtype == np.float32
    assert found.vectors_split is None


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        pytest.param({}, CorpusError, "ids and vectors, found neither", id="neither"),
        pytest.param({"ids": [1]}, CorpusError, "found ids", id="no-vectors"),
        pytest.param(
            {"ids": [1], "vectors": np.eye(2)},
            CorpusError,
            "ids: expected 2 whole numbers or texts",
            id="count",
        ),
        pytest.param(
            {"ids": ["a", "a"], "vectors": np.eye(2)},
            CorpusError,
            "ids: rows 0 and 1 are both of 'a'",
            id="twice",
        ),
        pytest.param(
            {"ids": [1, 2], "vectors": np.zeros((2, 3))},
            VectorError,
            "vectors: row 0 is a zero vector",
            id="zero",
        ),
    ],
)
def test_vectors_of_no_use_are_refused(
    tmp_path: Path, arrays: dict[str, object], error: type[Exception], message: str
) -> None:
    np.savez(tmp_path / "v.npz", **arrays)  # type: ignore[arg-type]

    with pytest.raises(error, match=rf"v\.npz: .*{message}"):
        read_item_vectors(tmp_path / "v.npz", tmp_path)


def test_missing_ids_are_counted_and_the_first_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", ids=["i0", "more"], vectors=np.eye(2))
    vectors = read_item_vectors(tmp_path / "v.npz", tmp_path)

    require_every_item(vectors, sequences_of([np.array([0, 0])], 1), "v.npz")
    with pytest.raises(
        CorpusError,
        match=r"v\.npz: .* each of the 8 items .*, 7 have none, first 'i1', .* 'i5'$",
    ):
        require_every_item(vectors, sequences_of([np.arange(8)], 8), "v.npz")
