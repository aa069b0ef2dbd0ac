import numpy as np
import pytest

from nextvec.training.evaluation.item_baselines import neighborhood
from nextvec.training.evaluation.item_baselines.neighborhood import Sequences
from nextvec.training.evaluation.item_baselines.neighbors import (
    SequenceNeighbors,
    SequenceTimeNeighbors,
    fit_neighbors,
)
from nextvec.training.vectors import Int64
from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)

SEQUENCES = [[0, 1, 4], [1, 2], [3, 4, 4], [0, 2, 3]]
CONTEXTS = [[0, 1], [2, 3, 1], [4], [1, 0, 2, 3], [2, 0, 2]]
TRAIN: Int64 = np.arange(4)


def idf_of(item: int) -> float:
    having = sum(item in sequence for sequence in SEQUENCES)
    return float(np.log(len(SEQUENCES) / having))


def by_hand(context: list[int], *, nearest: int, share: float) -> list[float]:
    """Return V-SKNN's scores the slow obvious way."""
    length = len(context)
    asked = []
    for sequence in SEQUENCES:
        shared = [at for at, item in enumerate(context) if item in sequence]
        similarity = sum((at + 1) / length for at in shared)
        steps = length - max(shared) if shared else np.inf
        asked.append((similarity, steps, set(sequence)))
    asked.sort(key=lambda one: -one[0])
    scores = []
    for item in range(5):
        found = sum(s / steps for s, steps, items in asked[:nearest] if item in items)
        scores.append(found * (1 + share * idf_of(item)))
    return scores


def timed_by_hand(
    context: list[int], *, nearest: int, share: float, span: float, reach: float
) -> list[float]:
    """Return VSTAN's scores the slow obvious way."""
    newest = {item: len(context) - 1 - at for at, item in enumerate(context)}
    asked = []
    for sequence in SEQUENCES:
        last = {item: at for at, item in enumerate(sequence)}
        shared = sorted(newest[item] for item in last if item in newest)
        similarity = sum(np.exp(-lag / span) for lag in shared) / np.sqrt(len(last))
        asked.append((similarity, shared, last))
    asked.sort(key=lambda one: -one[0])
    scores = [0.0] * 5
    for similarity, shared, last in asked[:nearest]:
        if not shared:
            continue
        middle = last[context[len(context) - 1 - shared[0]]]
        for item, place in last.items():
            said = similarity * np.exp(-shared[0] / span)
            said *= np.exp(-abs(place - middle) / reach)
            scores[item] += said * (1 + share * idf_of(item))
    return scores


@pytest.mark.parametrize("block", [1, 1 << 22])
def test_v_sknn_agrees_with_a_loop(
    sequences_of: MakeSequences,
    windows_of: MakeWindows,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
) -> None:
    monkeypatch.setattr(neighborhood, "_BLOCK_ENTRIES", block)
    sequences = Sequences.of(sequences_of(SEQUENCES, 5), TRAIN)

    for nearest in (2, 9):
        for share in (0.0, 1.0):
            one = SequenceNeighbors(sequences, nearest, share)
            found = one.scores(windows_of(CONTEXTS))

            for context, score_N in zip(CONTEXTS, found, strict=True):
                expected = by_hand(context, nearest=nearest, share=share)
                np.testing.assert_allclose(score_N, expected, rtol=1e-5)


@pytest.mark.parametrize("nearest", [1, 2, 9])
@pytest.mark.parametrize(("span", "reach"), [(1.0, 2.0), (5.0, 0.5)])
def test_vstan_agrees_with_a_loop(
    sequences_of: MakeSequences,
    windows_of: MakeWindows,
    nearest: int,
    span: float,
    reach: float,
) -> None:
    sequences = Sequences.of(sequences_of(SEQUENCES, 5), TRAIN)
    # no two sequences are as similar as each other, or which is asked would be chance
    contexts = [c for c in CONTEXTS if c != [4]]

    one = SequenceTimeNeighbors(sequences, nearest, 1.0, span, reach)
    found = one.scores(windows_of(contexts))

    for context, score_N in zip(contexts, found, strict=True):
        expected = timed_by_hand(
            context, nearest=nearest, share=1.0, span=span, reach=reach
        )
        np.testing.assert_allclose(score_N, expected, rtol=1e-5)


def test_vstan_by_hand(sequences_of: MakeSequences, windows_of: MakeWindows) -> None:
    sequences = Sequences.of(sequences_of([[0, 1, 2, 0], [3, 4]], 5), np.arange(2))
    one = SequenceTimeNeighbors(sequences, 5, 0.0, span=2.0, reach=4.0)

    found = one.scores(windows_of([[0, 1, 4, 3]]))[0]

    # the first shares 0 (lag 3) and 1 (lag 2), 1 is at place 2, 2 at 3, the last 0 at 4
    first = (np.exp(-3 / 2) + np.exp(-2 / 2)) / np.sqrt(3) * np.exp(-2 / 2)
    second = (np.exp(-1 / 2) + 1) / np.sqrt(2)
    expected = [
        first * np.exp(-2 / 4),
        first,
        first * np.exp(-1 / 4),
        second,
        second * np.exp(-1 / 4),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_context_that_nobody_shares_scores_nothing(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1], [1, 0]], 4)

    fitted = fit_neighbors(corpus, np.arange(2))

    assert len({one.name for one in fitted}) == len(fitted)
    for one in fitted:
        assert not one.scores(windows_of([[2, 3]])).any()
