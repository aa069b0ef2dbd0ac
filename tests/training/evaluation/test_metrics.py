import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextvec.training.evaluation.metrics import hit_at_k, mrr_at_k

ranks = hnp.arrays(np.int64, st.integers(1, 30), elements=st.integers(1, 20))


@given(ranks, st.integers(1, 25))
def test_metrics_agree_with_their_definitions(rank_Q: np.ndarray, k: int) -> None:
    hits = [rank for rank in rank_Q.tolist() if rank <= k]

    assert hit_at_k(rank_Q, k) == pytest.approx(len(hits) / len(rank_Q))
    expected = sum(1 / rank for rank in hits) / len(rank_Q)
    assert mrr_at_k(rank_Q, k) == pytest.approx(expected)


@given(ranks, st.integers(1, 25))
def test_a_larger_k_never_hits_less(rank_Q: np.ndarray, k: int) -> None:
    assert hit_at_k(rank_Q, k) <= hit_at_k(rank_Q, k + 1)
    assert mrr_at_k(rank_Q, k) <= mrr_at_k(rank_Q, k + 1)
    assert mrr_at_k(rank_Q, k) <= hit_at_k(rank_Q, k)
    assert mrr_at_k(rank_Q, 1) == hit_at_k(rank_Q, 1)


@given(ranks, st.integers(1, 25), st.data())
def test_a_better_rank_never_counts_less(
    rank_Q: np.ndarray, k: int, data: st.DataObject
) -> None:
    better = rank_Q.copy()
    query = data.draw(st.integers(0, len(rank_Q) - 1))
    better[query] = data.draw(st.integers(1, int(rank_Q[query])))

    assert hit_at_k(better, k) >= hit_at_k(rank_Q, k)
    assert mrr_at_k(better, k) >= mrr_at_k(rank_Q, k)


@given(ranks, st.integers(1, 25))
def test_the_order_of_queries_does_not_matter(rank_Q: np.ndarray, k: int) -> None:
    assert hit_at_k(rank_Q, k) == hit_at_k(rank_Q[::-1], k)
    assert mrr_at_k(rank_Q, k) == pytest.approx(mrr_at_k(rank_Q[::-1], k))


@pytest.mark.parametrize("metric", [hit_at_k, mrr_at_k])
@pytest.mark.parametrize(
    ("rank_Q", "k", "message"),
    [
        ([], 5, "no queries"),
        ([1, 0], 5, "ranks start at 1, got 0"),
        ([1], 0, "k must be at least 1, got 0"),
    ],
)
def test_what_is_no_rank_is_refused(
    metric: type, rank_Q: list[int], k: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metric(np.array(rank_Q, dtype=np.int64), k)
