import numpy as np
import pytest

from nextvec.training.evaluation.item_baselines.rules import Rules, fit_rules
from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)


def rule(rules: list[Rules], name: str) -> Rules:
    return next(one for one in rules if one.name == name)


def test_a_markov_chain_counts_what_follows_at_once(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    # after 0 came 1 twice and 2 once; nothing ever came after 3
    corpus = sequences_of([[0, 1, 0, 2], [0, 1, 3]], 4)
    chain = rule(fit_rules(corpus, np.arange(2)), "MC")

    found = chain.scores(windows_of([[1, 0], [3]]))

    np.testing.assert_allclose(found[0], [0, 2 / 3, 1 / 3, 0], atol=1e-5)
    # popularity decides where no rule speaks: 0 three times, 1 twice, 2 and 3 once
    assert np.argsort(-found[1], kind="stable").tolist() == [0, 1, 2, 3]


def test_sequential_rules_count_less_what_came_later(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1, 2]], 3)
    rules = fit_rules(corpus, np.arange(1))

    # after 0: 1 at one step, 2 at two, so 1 and 1/2; after 1: 2
    newest = rule(rules, "SR(0)").scores(windows_of([[1, 0]]))[0]
    both = rule(rules, "SR(0.5)").scores(windows_of([[1, 0]]))[0]

    np.testing.assert_allclose(newest, [0, 2 / 3, 1 / 3], atol=1e-5)
    np.testing.assert_allclose(both, [0, 2 / 3, 1 / 3 + 0.5 * 1], atol=1e-5)


def test_no_rule_goes_from_one_sequence_to_the_next(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1], [2, 0]], 3)

    for one in fit_rules(corpus, np.arange(2)):
        found = one.scores(windows_of([[1]]))[0]
        assert found.max() < 1e-5


def test_only_training_sequences_are_counted(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1], [0, 2]], 3)

    found = rule(fit_rules(corpus, np.array([0])), "MC").scores(windows_of([[0]]))[0]

    np.testing.assert_allclose(found, [0, 1, 0], atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_scores_are_finite_whatever_was_seen(
    sequences_of: MakeSequences, windows_of: MakeWindows, decay: float
) -> None:
    corpus = sequences_of([[0], [1, 1, 1]], 5)

    found = rule(fit_rules(corpus, np.arange(2)), f"SR({decay:g})")

    assert np.isfinite(found.scores(windows_of([[4], [0, 1, 2]]))).all()
