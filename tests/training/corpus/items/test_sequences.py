from dataclasses import replace

import numpy as np
import pytest

from nextvec.training.corpus.items.sequences import (
    ItemSequences,
    named_sequences,
    require_long_sequence,
    without_duplicates,
)
from nextvec.training.errors import CorpusError


def make(*sequences: list[int]) -> ItemSequences:
    return ItemSequences(
        source="here",
        sequence_ids=[f"s{number}" for number in range(len(sequences))],
        lengths=np.array([len(items) for items in sequences]),
        item_ids=[str(item) for item in range(40)],
        items=np.concatenate(sequences).astype(np.int64),
    )


def test_a_long_sequence_counts_once_and_short_ones_all_stay() -> None:
    long = list(range(21))
    found = make([1, 2], long, [1, 2], long[::-1], long)

    kept = without_duplicates(found)

    assert kept.sequence_ids == ["s0", "s1", "s2", "s3"]
    assert [items.tolist() for items in kept.sequences()] == [
        [1, 2],
        long,
        [1, 2],
        long[::-1],
    ]
    assert set(kept.items) == set(found.items)


def test_families_go_with_their_sequences() -> None:
    long = list(range(21))
    found = replace(make([1, 2], long, long), families=np.array([7, 8, 8]))

    kept = without_duplicates(found)

    assert kept.families is not None
    assert kept.families.tolist() == [7, 8]


def test_named_items_are_numbered_by_name() -> None:
    found = named_sequences(["x", "y"], [["b", "a"], ["a"]], source="here")

    assert found.item_ids == ["a", "b"]
    assert [items.tolist() for items in found.sequences()] == [[1, 0], [0]]
    assert found.families is None


def test_without_a_long_sequence_nothing_can_be_measured() -> None:
    require_long_sequence(make([1], [0] * 21))

    with pytest.raises(
        CorpusError, match=r"here: no sequence is long enough: .* 21 .* of 2 has 20"
    ):
        require_long_sequence(make([1], [0] * 20))
