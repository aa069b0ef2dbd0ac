"""Scores with copies, against the same told slowly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.score import Score, add_copies
from nextvec.training.evaluation.suite import Suite
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Int64

N, D, T = 23, 5, 6


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def slow_scores(score_QC: Tensor, column_QT: Tensor, copies_QT: Tensor) -> Tensor:
    found = score_QC.double().exp()
    for query, (columns, copies) in enumerate(zip(column_QT, copies_QT, strict=True)):
        for column, copied in zip(columns.tolist(), copies.double(), strict=True):
            if column >= 0:
                found[query, column] += copied.exp()
    return found.log().float()


@pytest.mark.parametrize("seed", range(5))
def test_copies_add_to_what_a_score_is_the_logarithm_of(seed: int) -> None:
    score_QC, copies_QT = draw(4, 7, seed=seed), 3 * draw(4, 9, seed=seed + 50)
    rng = np.random.default_rng(seed)
    # nine places of seven columns: some are there twice, some are no candidates
    column_QT = torch.from_numpy(rng.integers(-2, 7, size=(4, 9)).clip(min=-1))
    copies_QT[0, :4] = -torch.inf
    copies_QT[1] = -1e4
    copies_QT[2] = -torch.inf
    column_QT[3] = -1
    expected = slow_scores(score_QC, column_QT, copies_QT)
    before = score_QC.clone()

    add_copies(score_QC, column_QT, copies_QT)

    torch.testing.assert_close(score_QC, expected, atol=1e-5, rtol=0)
    assert torch.equal(score_QC[1:], before[1:])
    assert not torch.equal(score_QC[0], before[0])


def test_the_largest_of_weights_leave_no_infinity() -> None:
    score_QC = torch.tensor([[500.0, -500.0, 0.0]])

    add_copies(score_QC, torch.tensor([[1, 1, 2]]), torch.tensor([[300.0, 300.0, -9]]))

    expected = [500.0, 300.0 + np.log(2), np.log1p(np.exp(-9))]
    np.testing.assert_allclose(score_QC[0, :2], expected[:2], rtol=1e-6)
    # beside weights of e^300 one of e^-9 is nothing
    assert score_QC[0, 2] == pytest.approx(0, abs=1e-3)


def windows_of(context_rows: Int64, target_rows: Int64) -> Windows:
    return Windows(
        context_rows=context_rows,
        lengths=(context_rows >= 0).sum(axis=1),
        target_rows=target_rows,
        documents=np.arange(len(target_rows)),
        positions=np.full(len(target_rows), 30),
    )


def whole_pool() -> Pool:
    return Pool(name="index", rows=np.arange(N))


def judged(
    windows: Windows, prediction: Prediction, pool: Pool, *, exclude: bool = False
) -> tuple[Ranker, Tensor]:
    """Return a ranker by product and bias, and the scores it should give ``(Q, N)``."""
    vectors, bias = normalize(draw(N, D, seed=1), dim=1), draw(N, seed=2)
    ranker = Ranker(
        vectors,
        np.arange(N),
        windows,
        pool,
        exclude_context=exclude,
        score=Score.of_biases(bias, "index"),
    )
    assert prediction.copies is not None
    assert prediction.rows is not None
    score_QN = slow_scores(
        prediction.vectors @ vectors.T + bias,
        torch.from_numpy(prediction.rows),
        prediction.copies,
    )
    return ranker, score_QN


def some_windows(num: int, *, seed: int = 0) -> Windows:
    rng = np.random.default_rng(seed)
    rows = rng.integers(N, size=(num, T))
    lengths = rng.integers(1, T + 1, size=num)
    rows[np.arange(T) >= lengths[:, None]] = -1
    # every third target is in its context
    target = rng.integers(N, size=num)
    target[::3] = rows[::3, 0]
    return windows_of(rows, target)


def prediction_of(windows: Windows, *, seed: int = 3) -> Prediction:
    num = len(windows)
    copies = 2 * draw(num, T, seed=seed + 1)
    return Prediction(2 * draw(num, D, seed=seed), copies).at(windows.context_rows)


@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize("size", [N, 15])
def test_copied_items_rank_as_one_by_one(
    *, exclude: bool, block_bytes: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextvec.training.evaluation.ranking._BLOCK_BYTES", block_bytes)
    windows = some_windows(40)
    pool = Pool(name="index", rows=np.arange(0, size))
    ranker, score_QN = judged(windows, prediction_of(windows), pool, exclude=exclude)

    ranks = ranker.ranks(prediction_of(windows))

    for query, rank in enumerate(ranks.tolist()):
        target = int(windows.target_rows[query])
        context = set(windows.context_rows[query].tolist())
        others = set(range(size)) - {target} - (context if exclude else set())
        if target >= size or (exclude and target in context):
            assert rank == size + 1
            continue
        score_N = score_QN[query]
        assert rank == 1 + sum(bool(score_N[n] >= score_N[target]) for n in others)
    bare = ranker.ranks(replace(prediction_of(windows), rows=None))
    assert exclude or ranks.tolist() != bare.tolist()


@pytest.mark.parametrize("exclude", [False, True])
def test_a_surprise_is_what_is_left_of_one(*, exclude: bool) -> None:
    windows = some_windows(40)
    prediction = prediction_of(windows)
    ranker, score_QN = judged(windows, prediction, whole_pool(), exclude=exclude)

    found = ranker.surprise(prediction)

    for query, lost in enumerate(found.tolist()):
        target = int(windows.target_rows[query])
        context = set(windows.context_rows[query].tolist()) if exclude else set()
        if target in context:
            assert np.isnan(lost)
            continue
        rows = sorted(set(range(N)) - context)
        share = torch.softmax(score_QN[query, rows].double(), dim=0)
        assert lost == pytest.approx(
            -np.log(float(share[rows.index(target)])), abs=1e-4
        )


@pytest.mark.parametrize("exclude", [False, True])
def test_the_probabilities_of_all_candidates_sum_to_one(*, exclude: bool) -> None:
    # one context, and every item of the catalogue as what comes next
    rows = np.repeat(some_windows(1, seed=5).context_rows, N, axis=0)
    windows = windows_of(rows, np.arange(N))
    one = prediction_of(some_windows(1, seed=5))
    prediction = one[[0] * N].at(rows)
    ranker, _ = judged(windows, prediction, whole_pool(), exclude=exclude)

    share_N = np.exp(-ranker.surprise(prediction))

    assert np.nansum(share_N) == pytest.approx(1, abs=1e-5)
    assert np.isnan(share_N).sum() == (len(set(rows[0]) - {-1}) if exclude else 0)


def test_a_target_without_a_vector_has_no_surprise() -> None:
    windows = windows_of(np.array([[0, 1], [2, 3]]), np.array([-1, 4]))
    prediction = Prediction(draw(2, D), draw(2, 2)).at(windows.context_rows)
    ranker, _ = judged(windows, prediction, whole_pool())

    assert np.isnan(ranker.surprise(prediction)).tolist() == [True, False]


def test_the_same_windows_are_ranked_in_another_space() -> None:
    windows = some_windows(20)
    prediction = prediction_of(windows)
    pool = Pool(name="index", rows=np.arange(2, N))
    expected, _ = judged(windows, prediction, pool)
    other = Ranker(
        normalize(draw(N, D, seed=9), dim=1),
        np.arange(N),
        windows,
        pool,
        exclude_context=False,
    )
    before = other.ranks(prediction).tolist()

    found = other.searching(
        normalize(draw(N, D, seed=1), dim=1), Score.of_biases(draw(N, seed=2), "index")
    )

    assert found.ranks(prediction).tolist() == expected.ranks(prediction).tolist()
    np.testing.assert_array_equal(
        found.surprise(prediction), expected.surprise(prediction)
    )
    assert (
        other.ranks(prediction).tolist() == before != found.ranks(prediction).tolist()
    )


def test_bits_are_told_of_what_gives_probabilities() -> None:
    windows = some_windows(30)
    prediction = prediction_of(windows)
    vectors, bias = normalize(draw(N, D, seed=1), dim=1), draw(N, seed=2)
    suite = Suite(
        part="validation",
        stride=1,
        windows=windows,
        num_leaked=0,
        pools=(whole_pool(),),
        kind="items",
        repeat_share=0.5,
    )
    judge = Judge(vectors, np.arange(N), suite, Score.of_biases(bias, "index"))

    (result,) = judge.evaluate(prediction).pools
    (plain,) = Judge(vectors, np.arange(N), suite).evaluate(prediction).pools
    unknown = replace(suite, windows=windows_of(windows.context_rows, np.full(30, -1)))
    nobody = Judge(vectors, np.arange(N), unknown, judge.score)
    (nothing,) = nobody.evaluate(prediction).pools

    assert result.bits is not None
    lost_Q = judge.rankers["index"].surprise(prediction)
    assert result.bits.value == pytest.approx(lost_Q.mean() / np.log(2), rel=1e-5)
    assert plain.bits is None
    assert nothing.bits is None
