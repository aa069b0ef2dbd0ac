import itertools

import numpy as np
import pytest

from nextvec.training.evaluation.bits import target_bits
from nextvec.training.evaluation.item_baselines.aggregate_markov import (
    CLASSES,
    STEPS,
    AggregateMarkov,
    fit_aggregate_markov,
)
from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)

# after 4 comes 5 where 0 or 1 came before it, and 6 where 2 or 3 did
RULE = [[0, 4, 5], [1, 4, 5], [2, 4, 6], [3, 4, 6]] * 6


@pytest.fixture
def fitted(sequences_of: MakeSequences) -> dict[str, AggregateMarkov]:
    corpus = sequences_of(RULE, 8)
    return {one.name: one for one in fit_aggregate_markov(corpus, np.arange(len(RULE)))}


def test_there_is_one_for_each_setting(fitted: dict[str, AggregateMarkov]) -> None:
    assert list(fitted) == [
        f"aggregate Markov({steps}, {classes})"
        for steps in STEPS
        for classes in CLASSES
    ]
    assert {one.family for one in fitted.values()} == {"aggregate Markov"}


def test_an_older_item_picks_the_table(
    fitted: dict[str, AggregateMarkov], windows_of: MakeWindows
) -> None:
    windows = windows_of([[0, 4], [1, 4], [2, 4], [3, 4]])

    chance_QN = fitted["aggregate Markov(1, 3)"].probabilities(windows)

    assert chance_QN.argmax(axis=1).tolist() == [5, 5, 6, 6]
    assert (chance_QN.max(axis=1) > 0.8).all()


@pytest.mark.parametrize("steps", STEPS)
def test_probabilities_sum_to_one_whatever_is_known(
    fitted: dict[str, AggregateMarkov], windows_of: MakeWindows, steps: int
) -> None:
    # a context too short for the older item, an item that nothing follows, one that
    # training never met, and contexts of every length
    windows = windows_of([[4], [5], [7], [7, 4], [0, 1, 2, 3, 4, 4]])

    for classes in CLASSES:
        one = fitted[f"aggregate Markov({steps}, {classes})"]
        chance_QN = one.probabilities(windows)
        assert np.allclose(chance_QN.sum(axis=1), 1, atol=1e-5)
        assert (chance_QN >= 0).all()
        assert np.array_equal(chance_QN, one.scores(windows))


def test_without_the_older_item_all_classes_have_their_share(
    fitted: dict[str, AggregateMarkov], windows_of: MakeWindows
) -> None:
    one = fitted["aggregate Markov(1, 3)"]

    chance_N = one.probabilities(windows_of([[4]]))[0]

    # half of all that follows 4 is 5, and half is 6
    assert chance_N[5] == pytest.approx(chance_N[6], abs=0.05)
    assert chance_N[5] > 0.4


def test_it_is_what_em_finds_the_plain_way(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    """Dense tables and loops over events, with the settings of (2, 3)."""
    rng = np.random.default_rng(3)
    sequences = [rng.integers(5, size=9).tolist() for _ in range(12)]
    corpus = sequences_of(sequences, 5)
    one = {f.name: f for f in fit_aggregate_markov(corpus, np.arange(12))}
    found = one["aggregate Markov(2, 3)"]

    events = [(s[t - 2], s[t], s[t + 1]) for s in sequences for t in range(2, 8)]
    popularity = np.bincount(np.concatenate(sequences), minlength=5) / 108
    chain = np.zeros((5, 5))
    for s in sequences:
        for before, after in itertools.pairwise(s):
            chain[before, after] += 1
    kinds = (chain > 0).sum(axis=1, keepdims=True)
    total = chain.sum(axis=1, keepdims=True)
    chain = (chain + kinds * popularity) / (total + kinds)
    draw = np.random.default_rng([2, 3])
    share = draw.dirichlet(np.ones(3), 5)
    part = share[[b for b, _, _ in events]] * draw.uniform(0.5, 1.5, (len(events), 3))
    part /= part.sum(axis=1, keepdims=True)
    for _ in range(60):
        table = np.repeat(chain[None], 3, axis=0)
        share = np.full((5, 3), 0.3)
        for (b, a, w), each in zip(events, part, strict=True):
            table[:, a, w] += each
            share[b] += each
        table /= table.sum(axis=2, keepdims=True)
        share /= share.sum(axis=1, keepdims=True)
        part = np.array([share[b] * table[:, a, w] for b, a, w in events])
        part /= part.sum(axis=1, keepdims=True)

    windows = windows_of([[b, 0, a] for b in range(5) for a in range(5)])
    chance = [share[b] @ table[:, a] for b in range(5) for a in range(5)]
    assert np.allclose(found.probabilities(windows), chance, atol=1e-5)


def test_sequences_too_short_for_it_say_nothing_of_it(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1], [1, 2], [2]], 3)

    for one in fit_aggregate_markov(corpus, np.arange(3)):
        chance_QN = one.probabilities(windows_of([[0], [0, 1], [2, 2]]))
        assert np.isfinite(chance_QN).all()
        assert np.allclose(chance_QN.sum(axis=1), 1, atol=1e-5)


def test_it_needs_fewer_bits_than_the_first_order(
    fitted: dict[str, AggregateMarkov], windows_of: MakeWindows
) -> None:
    windows = windows_of([[0, 4], [3, 4]])
    windows.target_rows[:] = [5, 6]

    told = target_bits(fitted["aggregate Markov(1, 3)"], windows, 8).mean()
    blind = target_bits(fitted["aggregate Markov(4, 3)"], windows, 8).mean()

    assert told < 0.4
    assert blind > 0.9
