import numpy as np

from tests.training.evaluation.item_baselines.conftest import (
    MakeSequences,
    MakeWindows,
)
from training.evaluation.item_baselines.neighbors import (
    SequenceNeighbors,
    fit_neighbors,
)
from training.vectors import Int64

SEQUENCES = [[0, 1, 4], [1, 2], [3, 4, 4], [0, 2, 3]]
TRAIN: Int64 = np.arange(4)


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
        having = sum(item in sequence for sequence in SEQUENCES)
        idf = np.log(len(SEQUENCES) / having)
        found = sum(s / steps for s, steps, items in asked[:nearest] if item in items)
        scores.append(found * (1 + share * idf))
    return scores


def test_v_sknn_agrees_with_a_loop(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    (first, *_) = fit_neighbors(sequences_of(SEQUENCES, 5), TRAIN)
    contexts = [[0, 1], [2, 3, 1], [4], [1, 0, 2, 3]]

    for nearest in (2, 9):
        for share in (0.0, 1.0):
            one = SequenceNeighbors(first.is_in, nearest, share)
            found = one.scores(windows_of(contexts))

            for context, score_N in zip(contexts, found, strict=True):
                expected = by_hand(context, nearest=nearest, share=share)
                np.testing.assert_allclose(score_N, expected, rtol=1e-5)


def test_a_context_that_nobody_shares_scores_nothing(
    sequences_of: MakeSequences, windows_of: MakeWindows
) -> None:
    corpus = sequences_of([[0, 1], [1, 0]], 4)

    for one in fit_neighbors(corpus, np.arange(2)):
        assert not one.scores(windows_of([[2, 3]])).any()
