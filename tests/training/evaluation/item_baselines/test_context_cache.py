import numpy as np
import pytest

from nextvec.training.evaluation.item_baselines.context_cache import MAX_MATCH, cache_of
from tests.training.evaluation.item_baselines.conftest import MakeWindows


def by_hand(context: list[int], num_items: int) -> list[float]:
    """Return the shares of a cache the slow obvious way."""
    weights = [0.0] * num_items
    for place in range(len(context) - 1):
        match = 0
        while (
            match < MAX_MATCH
            and match <= place
            and context[place - match] == context[len(context) - 1 - match]
        ):
            match += 1
        weight = 4.0**match if match else 0.02
        weights[context[place + 1]] += weight * 0.98 ** (len(context) - 1 - place)
    return [weight / max(sum(weights), 1e-300) for weight in weights]


def test_a_place_counts_by_how_well_it_matches(windows_of: MakeWindows) -> None:
    # the end "0 1" was there at the start, followed by 2; "1" alone later, before 3;
    # and 0, 0 and 1 followed what is unlike the end
    windows = windows_of([[0, 1, 2, 1, 3, 0, 1]])

    found = cache_of(windows, 4).toarray()[0]

    two, one = 16 * 0.98**5, 4 * 0.98**3
    unlike = [0.02 * 0.98**age for age in (6, 4, 2, 1)]
    total = two + one + sum(unlike)
    expected = [unlike[2], unlike[0] + unlike[1] + unlike[3], two, one]
    np.testing.assert_allclose(found, np.array(expected) / total)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_loop(windows_of: MakeWindows, seed: int) -> None:
    rng = np.random.default_rng(seed)
    contexts = [rng.integers(3, size=n).tolist() for n in rng.integers(1, 30, size=20)]
    contexts += [[1] * 12, [0, 1, 2] * 6]

    found = cache_of(windows_of(contexts), 5).toarray()

    for context, share_N in zip(contexts, found, strict=True):
        np.testing.assert_allclose(share_N, by_hand(context, 5), rtol=1e-12)


def test_a_single_item_says_nothing(windows_of: MakeWindows) -> None:
    assert cache_of(windows_of([[1], [2]]), 3).nnz == 0
    assert cache_of(windows_of([[1], [2, 0]]), 3).toarray().tolist() == [
        [0, 0, 0],
        [1, 0, 0],
    ]
