import numpy as np
import pytest
import torch

from nextvec.training.evaluation.training_positions import BLOCK, TrainingPositions

NUM_SEGMENTS = 40
LONGEST = 30


@pytest.fixture
def segments(rng: np.random.Generator) -> np.ndarray:
    """Stretches of 1 to 30 rows, each with its rows in order, padded with -1."""
    length_S = rng.integers(1, LONGEST + 1, size=NUM_SEGMENTS)
    length_S[0] = LONGEST
    row_ST = np.arange(NUM_SEGMENTS * LONGEST).reshape(NUM_SEGMENTS, LONGEST)
    return np.where(np.arange(LONGEST) < length_S[:, None], row_ST, -1)


def pairs(positions: TrainingPositions) -> list[tuple[int, int]]:
    return list(zip(positions.segment.tolist(), positions.length.tolist(), strict=True))


def test_every_position_with_ten_vectors_before_it_is_taken_once(
    segments: np.ndarray, rng: np.random.Generator
) -> None:
    length_S = (segments >= 0).sum(axis=1).tolist()

    found = TrainingPositions.draw(segments, 10**6, rng)

    assert pairs(found) == [
        (segment, end)
        for segment, length in enumerate(length_S)
        for end in range(10, length)
    ]


def test_of_too_many_some_are_drawn_without_repeats(
    segments: np.ndarray, rng: np.random.Generator
) -> None:
    whole = pairs(TrainingPositions.draw(segments, 10**6, rng))

    found = pairs(TrainingPositions.draw(segments, 50, rng))

    assert len(set(found)) == 50
    assert found == [pair for pair in whole if pair in set(found)]


def test_where_all_are_short_the_longest_are_taken(rng: np.random.Generator) -> None:
    segments = np.array([[0, 1, 2, -1], [3, 4, 5, 6]])

    assert pairs(TrainingPositions.draw(segments, 9, rng)) == [(1, 3)]


def test_blocks_hold_contexts_and_what_came_next(
    segments: np.ndarray, rng: np.random.Generator
) -> None:
    # vectors that name their rows
    vectors = torch.arange(segments.size, dtype=torch.float32)[:, None]
    positions = TrainingPositions.draw(segments, 10**6, rng)

    seen = 0
    for part, context_BTD, length_B, next_BD in positions.blocks(vectors):
        assert part.start == seen
        for context_TD, length, next_D in zip(
            context_BTD, length_B.tolist(), next_BD, strict=True
        ):
            first = context_TD[0].item()
            expected = torch.arange(first, first + length)[:, None]
            assert torch.equal(context_TD[:length], expected)
            assert next_D.item() == first + length
        seen = part.stop

    assert seen == len(positions) > BLOCK
