import numpy as np
import pytest
import torch

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation import bits
from nextvec.training.evaluation.baselines import Popularity, WeightedMean
from nextvec.training.evaluation.bits import Probabilistic, mean_bits, target_bits
from nextvec.training.vectors import Float32


class ByContext:
    """Says of items 0 and 1 that they are likely after themselves."""

    def probabilities(self, windows: Windows) -> Float32:
        newest_Q = windows.context_rows[:, 0]
        chance_QN = np.where(np.arange(3) == newest_Q[:, None], 0.5, 0.25)
        return chance_QN.astype(np.float32)


def windows_of(newest: list[int], targets: list[int]) -> Windows:
    """Return windows of one item each, three to a sequence."""
    return Windows(
        context_rows=np.array(newest)[:, None],
        lengths=np.ones(len(newest), dtype=np.int64),
        target_rows=np.array(targets),
        documents=np.arange(len(newest)) // 3,
        positions=np.ones(len(newest), dtype=np.int64),
    )


@pytest.mark.parametrize("cells", [1, 6, 4096])
def test_bits_are_minus_log2_of_the_chance_of_the_target(
    monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(bits, "_BLOCK_CELLS", cells)
    windows = windows_of([0, 0, 1], [0, 1, -1])

    found = target_bits(ByContext(), windows, 3)

    np.testing.assert_array_equal(found, [1, 2, np.nan])


def test_a_target_that_training_never_met_is_left_out_of_the_mean() -> None:
    found = mean_bits(ByContext(), windows_of([0] * 36, [0, 1, -1] * 12), 3)

    assert found is not None
    assert (found.value, found.low, found.high) == (1.5, 1.5, 1.5)
    assert mean_bits(ByContext(), windows_of([0] * 36, [-1] * 36), 3) is None


def test_the_interval_is_over_sequences() -> None:
    # windows of a sequence are alike: its three count as one
    targets = np.repeat([0, 1], 18).tolist()

    found = mean_bits(ByContext(), windows_of([0] * 36, targets), 3)

    assert found is not None
    assert found.value == 1.5
    assert found.low < 1.3
    assert found.high > 1.7


def test_popularity_gives_the_share_of_each_item() -> None:
    popularity = Popularity(torch.tensor([2.0, 1.0, 1.0, 0.0]))
    windows = windows_of([0, 1, 0], [0, 2, 3])

    assert isinstance(popularity, Probabilistic)
    assert not isinstance(WeightedMean((1.0,)), Probabilistic)
    np.testing.assert_array_equal(target_bits(popularity, windows, 4), [1, 2, np.inf])


def test_what_the_context_was_given_is_shared_out_among_the_rest() -> None:
    popularity = Popularity(torch.tensor([2.0, 1.0, 1.0, 4.0]))
    windows = windows_of([3, 0, 2], [0, 0, 3])

    found = target_bits(popularity, windows, 4, excludes_context=True)

    np.testing.assert_allclose(found, [1, np.nan, np.log2(7 / 4)], rtol=1e-6)
