"""Contexts that are padded together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.app.inference.engine import Query
from nextvec.app.inference.groups import groups

if TYPE_CHECKING:
    from nextvec.app.inference.engine import Engine

WIDTHS, HEIGHTS = (10, 25, 50, 100), (1, 2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    ("lengths", "parts"),
    [
        pytest.param([100], 1, id="one"),
        pytest.param([3] * 32, 1, id="all short"),
        pytest.param([100] * 32, 1, id="all long"),
        pytest.param([5] * 31 + [100], 2, id="one long among short ones"),
        pytest.param([30, 100], 1, id="two of any length"),
        pytest.param([30, 60, 70, 100], 1, id="four that are long"),
        pytest.param([5, 20, 45, 100], 2, id="two short and two long ones"),
        pytest.param([100] * 30 + [5] * 2, 1, id="two short among long ones"),
    ],
)
def test_a_batch_is_parted_where_it_pays(lengths: list[int], parts: int) -> None:
    assert len(groups(lengths, WIDTHS, HEIGHTS)) == parts


@given(st.lists(st.integers(1, 130), min_size=1, max_size=40))
def test_every_context_is_in_one_part_and_none_is_longer_than_the_next(
    lengths: list[int],
) -> None:
    parts = groups(lengths, WIDTHS, HEIGHTS)

    places = [place for part in parts for place in part]
    assert sorted(places) == list(range(len(lengths)))
    for part, after in pairwise(parts):
        longest = max(lengths[place] for place in part)
        assert longest < min(lengths[place] for place in after)


def test_parted_contexts_are_answered_in_their_order(engine: Engine) -> None:
    lengths = [4, 100, *range(2, 11), 7, 3, 9, 1, 1, 2, 30, 5, 6, 2]
    assert len(groups(lengths, WIDTHS, HEIGHTS)) > 1
    rows = [np.arange(place, place + n) for place, n in enumerate(lengths)]
    queries = [Query(engine=engine, rows=r, k=5, return_vector=True) for r in rows]

    together = engine.run(queries)

    for query, answer, length in zip(queries, together, lengths, strict=True):
        (alone,) = engine.run([query])
        assert answer.num_context == length
        assert answer.vector is not None
        assert alone.vector is not None
        np.testing.assert_allclose(answer.vector, alone.vector, atol=1e-5)
        assert answer.found.rows.tolist() == alone.found.rows.tolist()
