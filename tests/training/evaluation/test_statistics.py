import json
import math
from dataclasses import asdict

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.evaluation.statistics import (
    MIN_DOCUMENTS,
    Estimate,
    estimate,
    estimate_sums,
)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 4)), min_size=1, max_size=30)
)
def test_the_value_is_the_plain_mean_and_lies_in_its_interval(
    pairs: list[tuple[float, int]],
) -> None:
    values, documents = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    found = estimate(values, documents, resamples=200)

    assert found.value == pytest.approx(values.mean(), abs=1e-12)
    means = [values[documents == d].mean() for d in np.unique(documents)]
    if len(means) >= MIN_DOCUMENTS:
        assert min(means) - 1e-9 <= found.low <= found.high <= max(means) + 1e-9


def test_windows_of_one_document_are_not_independent() -> None:
    rng = np.random.default_rng(0)
    documents = np.repeat(np.arange(20), 25)
    values = np.repeat(rng.normal(size=20), 25)

    correlated = estimate(values, documents)
    as_if_independent = estimate(values, np.arange(500))

    width = correlated.high - correlated.low
    assert width > 3 * (as_if_independent.high - as_if_independent.low)
    assert width == pytest.approx(2 * 1.96 * values.std() / math.sqrt(20), rel=0.2)


def test_one_document_says_nothing_about_others() -> None:
    found = estimate(np.array([0.0, 1.0]), np.array([7, 7]))

    assert found == Estimate(value=0.5, low=-math.inf, high=math.inf)


def test_long_documents_weigh_more_than_short_ones() -> None:
    found = estimate(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1]))

    assert found.value == 0.75


def test_what_is_the_same_in_all_documents_is_certain_however_long_they_are() -> None:
    documents = np.repeat(np.arange(12), np.arange(1, 13))

    found = estimate(np.ones(len(documents)), documents)

    assert (found.low, found.high) == (1.0, 1.0)


def test_the_same_seed_draws_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=60)
    documents = np.repeat(np.arange(12), 5)

    assert estimate(values, documents, seed=1) == estimate(values, documents, seed=1)
    assert estimate(values, documents, seed=1) != estimate(values, documents, seed=2)


def test_numbers_of_documents_are_names_only() -> None:
    values = np.random.default_rng(0).normal(size=60)
    documents = np.repeat(np.arange(12), 5)

    assert estimate(values, documents) == estimate(values, documents * 1000 + 7)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    documents = np.repeat(np.arange(40), 5)
    covered = 0
    for _ in range(200):
        values = np.repeat(rng.normal(size=40), 5) + rng.normal(size=200)
        found = estimate(values, documents, resamples=400)
        covered += found.low <= 0 <= found.high

    # 95 % in truth; a percentile bootstrap over 40 documents reaches about 93 %
    assert 0.88 <= covered / 200 <= 0.99


def test_an_interval_without_end_survives_json() -> None:
    found = Estimate(value=0.5, low=-math.inf, high=math.inf)

    plain = json.loads(orjson.dumps(asdict(found)))

    assert plain == {"value": 0.5, "low": None, "high": None}
    assert Estimate.from_plain(plain) == found
    narrow = Estimate(value=0.5, low=0.25, high=0.75)
    assert Estimate.from_plain(asdict(narrow)) == narrow


def test_sums_over_documents_are_all_that_an_estimate_needs(
    rng: np.random.Generator,
) -> None:
    values, documents = rng.normal(size=200), rng.integers(30, size=200)
    names = np.unique(documents)

    sums = np.array([values[documents == name].sum() for name in names])
    counts = np.array([(documents == name).sum() for name in names])
    found = estimate_sums(sums, counts)

    expected = estimate(values, documents)
    assert asdict(found) == pytest.approx(asdict(expected))
    assert math.isinf(estimate_sums(sums[:3], counts[:3]).low)
