import numpy as np
import pytest

from nextvec.training.evaluation.item_baselines import linear
from nextvec.training.evaluation.item_baselines.linear import (
    ItemRegression,
    fit_regressions,
)
from nextvec.training.vectors import Int64
from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)

SEQUENCES = [[0, 1, 2], [1, 2, 0], [3, 1]]
TRAIN: Int64 = np.arange(3)


def setting(fitted: list[ItemRegression], name: str) -> ItemRegression:
    return next(one for one in fitted if one.name == name)


def test_ease_is_the_ridge_regression_of_each_item_on_all_others(
    sequences_of: MakeSequences,
) -> None:
    fitted = fit_regressions(sequences_of(SEQUENCES, 4), TRAIN)
    table = setting(fitted, "EASE(100)").table

    is_in = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 1]], dtype=float)
    for item in range(4):
        others = [i for i in range(4) if i != item]
        gram = is_in[:, others].T @ is_in[:, others] + 100 * np.eye(3)
        expected = np.linalg.solve(gram, is_in[:, others].T @ is_in[:, item])
        np.testing.assert_allclose(table[others, item], expected, atol=1e-7)
        assert table[item, item] == 0


@pytest.mark.parametrize(("share", "name"), [(0.0, "SLIT"), (0.5, "SLIST")])
def test_slist_is_solved_from_every_point_of_a_sequence(
    sequences_of: MakeSequences, share: float, name: str
) -> None:
    fitted = fit_regressions(sequences_of(SEQUENCES, 4), TRAIN)
    told = "0.5, 300, span 5" if share else "300, span 5"
    table = setting(fitted, f"{name}({told})").table

    past, future = [], []
    for sequence in SEQUENCES:
        for point in range(len(sequence) - 1):
            before, after = np.zeros(4), np.zeros(4)
            for at, item in enumerate(sequence):
                if at <= point:
                    before[item] += np.exp(-(point - at) / 5)
                else:
                    after[item] += np.exp(-(at - point - 1) / 5)
            past.append(before)
            future.append(after)
    s, t = np.array(past), np.array(future)
    x = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 1]], dtype=float)
    together = share * x.T @ x
    left = together + (1 - share) * s.T @ s + 300 * np.eye(4)
    right = together + (1 - share) * s.T @ t
    np.testing.assert_allclose(table, np.linalg.solve(left, right), atol=1e-7)


def test_older_items_of_a_context_count_less(windows_of: MakeWindows) -> None:
    table = np.eye(3, dtype=np.float32)
    windows = windows_of([[0, 1], [2]])

    fading = ItemRegression("x", "x", table, span=2.0).scores(windows)
    level = ItemRegression("x", "x", table).scores(windows)

    np.testing.assert_allclose(fading, [[np.exp(-0.5), 1, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(level, [[1, 1, 0], [0, 0, 1]])


def test_too_large_a_catalogue_is_left_to_the_others(
    sequences_of: MakeSequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "MAX_ITEMS", 3)

    assert fit_regressions(sequences_of(SEQUENCES, 4), TRAIN) == []
