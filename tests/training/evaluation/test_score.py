import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from nextvec.app.bundle.vectors import as_queries, as_rows
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.score import BETAS, Score, scores
from nextvec.training.evaluation.suite import Suite


def unit_rows(num: int, dim: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(num, dim, generator=generator), dim=1)


@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_a_score_is_the_cosine_less_a_share_of_hubness(beta: float) -> None:
    predictions, candidates = unit_rows(3, 5, seed=0), unit_rows(7, 5, seed=1)
    hubness = torch.linspace(-0.2, 0.6, 7)

    found = scores(predictions, candidates, hubness, beta)

    for query in range(3):
        for candidate in range(7):
            cosine = float(predictions[query] @ candidates[candidate])
            expected = cosine - beta * float(hubness[candidate])
            assert float(found[query, candidate]) == pytest.approx(expected, abs=1e-6)


def test_one_more_column_of_the_index_gives_the_same() -> None:
    predictions, candidates = unit_rows(4, 6, seed=0), unit_rows(9, 6, seed=1)
    hubness = torch.linspace(0, 0.5, 9)

    rows = as_rows(candidates.numpy(), hubness.numpy())
    found = as_queries(predictions.numpy(), 0.3) @ rows.T

    expected = scores(predictions, candidates, hubness, 0.3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        pytest.param({0.0: 0.1, 0.5: 0.3, 1.0: 0.2}, 0.5, id="best"),
        pytest.param({0.0: 0.2, 0.5: 0.3, 0.7: 0.3}, 0.5, id="smallest of equals"),
        pytest.param({0.0: 0.4, 0.5: 0.3}, 0.0, id="none"),
    ],
)
def test_beta_is_the_best_of_its_curve(
    curve: dict[float, float], expected: float
) -> None:
    score = Score(hubness=torch.zeros(3), curves={"index": curve})

    assert score.beta("index") == expected
    assert score.beta("targets") == 0.0
    assert score.to_dict()["betas"] == {"index": expected}


def ranker_of(hubness: torch.Tensor, beta: float, *, exclude_context: bool) -> Ranker:
    vectors = unit_rows(60, 8, seed=3)
    rows = np.arange(10).reshape(2, 5)
    windows = Windows(
        context_rows=rows[:, :4],
        target_rows=rows[:, 4],
        documents=np.arange(2),
        positions=np.full(2, 4),
        lengths=np.full(2, 4),
    )
    pool = Pool(name="index", rows=np.arange(60))
    score = Score(hubness=hubness, curves={"index": {beta: 1.0}})
    return Ranker(
        vectors,
        np.arange(60),
        windows,
        pool,
        score=score,
        exclude_context=exclude_context,
    )


@pytest.mark.parametrize("exclude", [True, False])
def test_all_betas_of_one_product_rank_as_each_alone(*, exclude: bool) -> None:
    hubness = torch.rand(60, generator=torch.Generator().manual_seed(4))
    predictions = unit_rows(2, 8, seed=5)
    together = ranker_of(hubness, 0.0, exclude_context=exclude)

    found = together.ranks_at(predictions, BETAS)

    for beta, ranks in zip(BETAS, found, strict=True):
        alone = ranker_of(hubness, beta, exclude_context=exclude)
        np.testing.assert_array_equal(ranks, alone.ranks(predictions))
    assert len({tuple(ranks) for ranks in found}) > 1


def test_a_hub_falls_behind_what_was_hidden_by_it() -> None:
    vectors = torch.eye(4)[:3].clone()
    vectors[2] = normalize(torch.tensor([0.9, 0.0, 0.1, 0.0]), dim=0)
    prediction = normalize(torch.tensor([[0.8, 0.0, 0.6, 0.0]]), dim=1)
    windows = Windows(
        context_rows=np.array([[1]]),
        target_rows=np.array([0]),
        documents=np.array([0]),
        positions=np.array([1]),
        lengths=np.array([1]),
    )
    pool = Pool(name="index", rows=np.arange(3))
    hubness = torch.tensor([0.1, 0.1, 0.9])
    suite = Suite(
        part="validation", stride=1, windows=windows, num_leaked=0, pools=(pool,)
    )
    score = Score(hubness=hubness, curves={"index": {0.5: 1.0}})

    judge = Judge(vectors, np.arange(3), suite, score)
    plain = Judge(vectors, np.arange(3), suite)

    assert plain.ranks(prediction)["index"].tolist() == [2]
    assert judge.ranks(prediction)["index"].tolist() == [1]
    (result,) = judge.evaluate(prediction).pools
    assert result.beta == 0.5
    assert result.hit_at[1].value == 1.0
    assert result.hit_plain == 1.0
