from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.evaluation.baselines import (
    ContextMean,
    GlobalMean,
    Ridge,
    Successor,
    VectorBaseline,
    WeightedMean,
    closed_form_baselines,
    fit_baselines,
)
from nextvec.training.models.blocks import predict_in_blocks
from nextvec.training.vectors import l2_normalize

MakeCorpus = Callable[..., Corpus]

TRAIN = np.array([0, 2, 3])
FAMILIES = {
    "copy-last": 1,
    "weighted mean": 15,
    "mean of the context": 1,
    "global mean": 1,
    "ridge regression": 4,
    "successor of the nearest training context": 3,
}


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus([150, 40, 30, 1, 12], dim=4)


@pytest.fixture(scope="module")
def fitted(corpus: Corpus) -> list[Any]:
    return fit_vectors(torch.from_numpy(corpus.vectors), corpus)


def fit_vectors(vectors_ND: Tensor, corpus: Corpus) -> list[Any]:
    found = fit_baselines(vectors_ND, corpus, TRAIN)
    assert all(isinstance(baseline, VectorBaseline) for baseline in found)
    return list(found)


def contexts(dim: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(5, 12, dim, generator=generator)
    return torch.nn.functional.normalize(context, dim=-1), torch.tensor(
        [12, 1, 7, 2, 12]
    )


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def slow_mean(context: np.ndarray, rate: float) -> np.ndarray:
    weights = [rate * (1 - rate) ** back for back in range(len(context))]
    newest_first = context[::-1]
    total = sum(w * v for w, v in zip(weights, newest_first, strict=True))
    return np.asarray(total / sum(weights))


def slow_features(context: np.ndarray) -> np.ndarray:
    means = [slow_mean(context, rate) for rate in (1.0, 0.5, 0.2)]
    return np.concatenate([*means, context.mean(axis=0)])


def examples(corpus: Corpus) -> list[tuple[np.ndarray, np.ndarray]]:
    """Contexts of at least ten vectors in stretches of 101, and what came next."""
    found = []
    for document in TRAIN.tolist():
        vectors = np.asarray(corpus.vectors[corpus.sequence(document)], np.float64)
        for start in range(0, len(vectors) - 1, 100):
            stretch = vectors[start : start + 101]
            found += [(stretch[:end], stretch[end]) for end in range(10, len(stretch))]
    return found


def assert_agrees(
    baseline: VectorBaseline,
    slow: Callable[[np.ndarray], np.ndarray],
    atol: float = 1e-5,
) -> None:
    context_BTD, length_B = contexts()

    predicted = baseline.predict(context_BTD, length_B).numpy()

    for row, (context, length) in enumerate(
        zip(context_BTD.numpy(), length_B.tolist(), strict=True)
    ):
        expected = unit(slow(context[:length].astype(np.float64)))
        np.testing.assert_allclose(predicted[row], expected, atol=atol)


def test_all_six_families_are_fitted(fitted: list[Any]) -> None:
    families = [baseline.family for baseline in fitted]

    assert {family: families.count(family) for family in families} == FAMILIES
    names = [baseline.name for baseline in fitted]
    assert len(set(names)) == len(names)


def test_copy_last_copies_the_last() -> None:
    assert WeightedMean((1.0,)).name == "copy-last"
    assert_agrees(WeightedMean((1.0,)), lambda context: context[-1])


@pytest.mark.parametrize("mean", closed_form_baselines(), ids=lambda mean: mean.name)
def test_weighted_means_agree_with_a_loop(mean: WeightedMean) -> None:
    def slow(context: np.ndarray) -> np.ndarray:
        pairs = zip(mean.rates, mean.weights, strict=True)
        return np.asarray(sum(w * slow_mean(context, rate) for rate, w in pairs))

    assert_agrees(mean, slow)
    assert sum(mean.weights) == pytest.approx(1)


def test_the_mean_of_the_context_is_that() -> None:
    assert_agrees(ContextMean(), lambda context: context.mean(axis=0))


def test_the_global_mean_is_that_of_the_training_documents(
    corpus: Corpus, fitted: list[Any]
) -> None:
    baseline = next(b for b in fitted if isinstance(b, GlobalMean))
    # a document of one vector has nothing to predict and trains nothing
    rows = np.concatenate([corpus.sequence(0), corpus.sequence(2)])
    mean = corpus.vectors[rows].mean(axis=0)

    assert_agrees(baseline, lambda _: mean)


def test_ridge_regression_agrees_with_normal_equations(
    corpus: Corpus, fitted: list[Any]
) -> None:
    pairs = examples(corpus)
    features = np.stack([slow_features(context) for context, _ in pairs])
    following = np.stack([target for _, target in pairs])
    gram = features.T @ features
    for baseline in fitted:
        if isinstance(baseline, Ridge):
            penalty = baseline.penalty * np.trace(gram) / len(gram)
            solved = np.linalg.solve(
                gram + penalty * np.eye(len(gram)), features.T @ following
            )

            def slow(context: np.ndarray, solved: np.ndarray = solved) -> np.ndarray:
                return np.asarray(slow_features(context) @ solved)

            assert_agrees(baseline, slow, atol=2e-3)


def test_successors_are_what_came_after_the_nearest_contexts(
    corpus: Corpus, fitted: list[Any]
) -> None:
    pairs = examples(corpus)
    keys = np.stack([unit(slow_mean(context, 0.3)) for context, _ in pairs])
    following = np.stack([target for _, target in pairs])
    for baseline in fitted:
        if isinstance(baseline, Successor):
            num = baseline.num_nearest

            def slow(context: np.ndarray, num: int = num) -> np.ndarray:
                score = keys @ unit(slow_mean(context, 0.3))
                nearest = np.argsort(-score)[:num]
                return np.asarray(following[nearest].mean(axis=0))

            assert_agrees(baseline, slow)


def test_padding_does_not_matter(fitted: list[Any]) -> None:
    context_BTD, length_B = contexts()
    padded_BTD = torch.full((5, 30, 4), 77.0)
    for row, length in enumerate(length_B.tolist()):
        padded_BTD[row, :length] = context_BTD[row, :length]

    for baseline in fitted:
        bare = baseline.predict(context_BTD, length_B)
        padded = baseline.predict(padded_BTD, length_B)
        torch.testing.assert_close(padded, bare, atol=1e-5, rtol=0)


def test_predictions_have_unit_length(fitted: list[Any]) -> None:
    for baseline in fitted:
        norms = baseline.predict(*contexts()).norm(dim=-1)
        torch.testing.assert_close(norms, torch.ones(5), atol=1e-5, rtol=0)


def test_other_documents_change_nothing(
    corpus: Corpus, fitted: list[Any], rng: np.random.Generator
) -> None:
    vectors = np.array(corpus.vectors)
    for document in (1, 4):
        rows = corpus.sequence(document)
        vectors[rows] = l2_normalize(rng.normal(size=(len(rows), 4)))

    again = fit_vectors(torch.from_numpy(vectors), replace(corpus, vectors=vectors))

    for before, after in zip(fitted, again, strict=True):
        assert torch.equal(before.predict(*contexts()), after.predict(*contexts()))


def test_training_documents_do_change_something(
    corpus: Corpus, fitted: list[Any]
) -> None:
    vectors = np.array(corpus.vectors)
    vectors[:60] = vectors[60:120]

    again = fit_vectors(torch.from_numpy(vectors), corpus)

    for before, after in zip(fitted, again, strict=True):
        is_same = torch.equal(before.predict(*contexts()), after.predict(*contexts()))
        is_closed_form = isinstance(before, WeightedMean | ContextMean)
        assert is_same == is_closed_form


def test_a_corpus_of_short_documents_is_fitted_on_short_contexts(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([4, 3], dim=4)

    fitted = fit_baselines(torch.from_numpy(corpus.vectors), corpus, np.arange(2))

    nearest = [b.num_nearest for b in fitted if isinstance(b, Successor)]
    assert nearest == [1]


@pytest.mark.parametrize("most", [7, 60])
def test_too_many_positions_are_drawn_from(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("nextvec.training.evaluation.baselines._MAX_KNN_ROWS", most)

    fitted = fit_baselines(torch.from_numpy(corpus.vectors), corpus, TRAIN)

    keys = {len(b.keys) for b in fitted if isinstance(b, Successor)}
    assert keys == {most}


@pytest.mark.parametrize("block", [1, 2, 256])
def test_predicting_in_blocks_changes_nothing(fitted: list[Any], block: int) -> None:
    context_BTD, length_B = contexts()

    for baseline in fitted:
        whole = baseline.predict(context_BTD, length_B)
        blocks = predict_in_blocks(baseline.predict, context_BTD, length_B, block=block)
        torch.testing.assert_close(blocks, whole, atol=1e-5, rtol=0)
