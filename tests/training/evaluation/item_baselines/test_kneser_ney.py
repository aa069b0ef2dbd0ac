from collections import Counter, defaultdict

import numpy as np
import pytest

from nextvec.training.evaluation.item_baselines import kneser_ney
from nextvec.training.evaluation.item_baselines.kneser_ney import (
    CACHE_SHARES,
    ORDERS,
    KneserNey,
    count_runs,
    fit_kneser_ney,
)
from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)
from tests.training.evaluation.item_baselines.test_context_cache import (
    by_hand as cache_by_hand,
)

Run = tuple[int, ...]
START = -9


def counted(sequences: list[list[int]], order: int) -> list[Counter[Run]]:
    """Count runs of 1, 2, ... items, all but the longest by what came before."""
    before: defaultdict[Run, set[int]] = defaultdict(set)
    longest: Counter[Run] = Counter()
    for sequence in sequences:
        for stop in range(1, len(sequence) + 1):
            for length in range(1, min(order, stop) + 1):
                run = tuple(sequence[stop - length : stop])
                first = stop - length
                before[run].add(sequence[first - 1] if first else START)
                if length == order:
                    longest[run] += 1
    shorter = [
        Counter({run: len(found) for run, found in before.items() if len(run) == n})
        for n in range(1, order)
    ]
    return [*shorter, longest]


def probability(
    counts: list[Counter[Run]], context: list[int], item: int, size: int
) -> float:
    """Return what Kneser-Ney says of one item, literally."""
    chance = 1 / size
    for length, own in enumerate(counts):
        if length > len(context):
            break
        end = tuple(context[len(context) - length :])
        once = sum(count == 1 for count in own.values())
        twice = sum(count == 2 for count in own.values())
        discount = once / (once + 2 * twice) if once else 0.5
        followed = {run[-1]: n for run, n in own.items() if run[:-1] == end}
        total = sum(followed.values())
        if total == 0:
            break
        kept = max(followed.get(item, 0) - discount, 0) / total
        chance = kept + discount * len(followed) / total * chance
    return chance


def of_order(
    sequences_of: MakeSequences,
    sequences: list[list[int]],
    items: int,
    order: int,
    share: float = 0.0,
) -> KneserNey:
    corpus = sequences_of(sequences, items)
    ((levels, single),) = count_runs(corpus, np.arange(len(sequences)), (order,))
    return KneserNey(levels, single, share)


def test_two_items_are_counted_by_hand(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    # pairs: 01 twice, 02, 10, 23 once each; before 0: the start and 1; before 1: 0;
    # before 2: 0 and the start; before 3: 2
    one = of_order(sequences_of, [[0, 1, 0, 2], [0, 1], [2, 3]], 5, 2)

    found = one.probabilities(windows_of([[3, 0], [4]]))

    # single items: 1 and 3 have one kind before them, 0 and 2 two; D = 2 / (2 + 4)
    d, total = 1 / 3, 6
    rest = d * 4 / total / 5
    single = [
        (2 - d) / total + rest,
        (1 - d) / total + rest,
        (2 - d) / total + rest,
        (1 - d) / total + rest,
        rest,
    ]
    np.testing.assert_allclose(found[1], single, rtol=1e-6)
    # after 0: 1 twice, 2 once; three pairs occur once and one twice: D = 3 / 5
    d = 3 / 5
    expected = [d * 2 / 3 * chance for chance in single]
    expected[1] += (2 - d) / 3
    expected[2] += (1 - d) / 3
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


@pytest.mark.parametrize("order", [2, 3, 5, 7])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_agrees_with_a_literal_count(
    sequences_of: MakeSequences,
    windows_of: MakeWindows,
    monkeypatch: pytest.MonkeyPatch,
    order: int,
    share: float,
) -> None:
    # few queries a block, the last one not full
    monkeypatch.setattr(kneser_ney, "_BLOCK_CELLS", 100)
    rng = np.random.default_rng(order)
    lengths = [*rng.integers(1, 40, size=12), 1, 2, 3]
    # an item that returns soon, so that long runs occur twice
    sequences = [np.minimum(rng.integers(6, size=n), 4).tolist() for n in lengths]
    contexts = [rng.integers(6, size=n).tolist() for n in (1, 2, 3, 9, 20, 20, 20)]
    contexts += [sequences[0][:9], sequences[1][3:]]
    one = of_order(sequences_of, sequences, 7, order, share)

    found = one.probabilities(windows_of(contexts))

    counts = counted(sequences, order)
    for context, chance_N in zip(contexts, found, strict=True):
        cache = np.array(cache_by_hand(context, 7))
        part = share if len(context) > 1 else 0.0
        expected = [
            (1 - part) * probability(counts, context, item, 7) + part * cache[item]
            for item in range(7)
        ]
        np.testing.assert_allclose(chance_N, expected, rtol=2e-5)


def test_rows_sum_to_one_and_nothing_is_impossible(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    rng = np.random.default_rng(0)
    sequences = rng.integers(20, size=(30, 25)).tolist()
    corpus = sequences_of(sequences, 30)
    windows = windows_of(rng.integers(30, size=(50, 20)).tolist())

    fitted = fit_kneser_ney(corpus, np.arange(30))

    assert len(fitted) == len(ORDERS) * len(CACHE_SHARES)
    assert len({one.name for one in fitted}) == len(fitted)
    for one in fitted:
        found = one.probabilities(windows)
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
        assert (found > 0).all()
        np.testing.assert_array_equal(one.scores(windows), found)


def test_without_repeats_there_is_no_cache(sequences_of: MakeSequences) -> None:
    corpus = sequences_of([[0, 1, 2, 3], [3, 2, 0, 1]], 4)

    fitted = fit_kneser_ney(corpus, np.arange(2))

    assert [one.name for one in fitted] == [f"Kneser-Ney({n})" for n in ORDERS]


def test_only_training_sequences_are_counted(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    sequences = [[0, 1, 0, 1], [0, 2, 0, 2, 0, 2]]
    corpus = sequences_of(sequences, 3)
    windows = windows_of([[0], [1, 0]])

    (found, *_) = fit_kneser_ney(corpus, np.array([0]))

    alone = fit_kneser_ney(sequences_of(sequences[:1], 3), np.array([0]))[0]
    np.testing.assert_array_equal(
        found.probabilities(windows), alone.probabilities(windows)
    )


def test_where_every_run_is_frequent_something_is_left_for_the_others(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    # every pair occurs three times or more: the formula has no discount for that
    one = of_order(sequences_of, [[0, 1, 0, 1, 0, 1, 0, 1]], 3, 2)

    found = one.probabilities(windows_of([[0]]))[0]

    assert (found > 0).all()
    assert found.sum() == pytest.approx(1)


def test_runs_longer_than_any_sequence_change_nothing(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    sequences = [[0, 1, 2], [1, 2, 0]]
    windows = windows_of([[0, 1, 2, 1], [2, 1]])

    longer = of_order(sequences_of, sequences, 3, 7).probabilities(windows)

    counts = counted(sequences, 7)
    for context, chance_N in zip([[0, 1, 2, 1], [2, 1]], longer, strict=True):
        expected = [probability(counts, context, item, 3) for item in range(3)]
        np.testing.assert_allclose(chance_N, expected, rtol=2e-5)
