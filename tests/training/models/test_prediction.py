import numpy as np
import pytest
import torch

from nextvec.training.models.prediction import Prediction, as_prediction


def some(num: int, width: int, *, seed: int = 0) -> Prediction:
    generator = torch.Generator().manual_seed(seed)
    return Prediction(
        torch.randn(num, 3, generator=generator),
        torch.randn(num, width, generator=generator),
    )


def test_blocks_of_different_widths_are_padded_with_no_weight() -> None:
    first, second = some(2, 3), some(1, 5, seed=1)
    assert first.copies is not None
    assert second.copies is not None

    joined = Prediction.joined([first, second])

    assert joined.copies is not None
    assert torch.equal(joined.copies[:2, :3], first.copies)
    assert (joined.copies[:2, 3:] == -torch.inf).all()
    assert torch.equal(joined.copies[2:], second.copies)
    assert torch.equal(joined.vectors[2:], second.vectors)


@pytest.mark.parametrize(("width", "places"), [(4, 7), (7, 4), (5, 5)])
def test_rows_and_weights_are_of_the_same_places(width: int, places: int) -> None:
    rows = np.arange(2 * places).reshape(2, places)

    found = some(2, width).at(rows)

    assert found.copies is not None
    assert found.rows is not None
    assert tuple(found.copies.shape) == (2, min(width, places))
    assert found.rows.tolist() == rows[:, : min(width, places)].tolist()


def test_a_part_is_a_part_of_everything() -> None:
    whole = some(5, 4).at(np.arange(20).reshape(5, 4)).cpu()
    assert whole.copies is not None

    for chosen in (slice(1, 4), [3, 0]):
        part = whole[chosen]

        assert torch.equal(part.vectors, whole.vectors[chosen])
        assert part.copies is not None
        assert torch.equal(part.copies, whole.copies[chosen])
        assert part.rows is not None
        assert part.rows.tolist() == np.arange(20).reshape(5, 4)[chosen].tolist()
        assert len(part) == len(part.rows)


def test_vectors_alone_copy_nothing() -> None:
    found = as_prediction(torch.ones(2, 3)).at(np.zeros((2, 4), dtype=np.int64))

    assert found.copies is None
    assert found[:1].copies is None
    assert as_prediction(found) is found
    assert Prediction.joined([found, found]).copies is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_told(value: float) -> None:
    for part in ("vectors", "copies"):
        found = some(2, 3)
        getattr(found, part)[1, 2] = value

        # a weight that is infinite is one of nothing
        assert found.is_finite == (part == "copies" and value == torch.inf)
