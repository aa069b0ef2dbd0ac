import pytest

from nextvec.training.fit.early_stopping import EarlyStopping


@pytest.mark.parametrize(
    ("scores", "patience", "min_delta", "best_epoch", "stops_at"),
    [
        pytest.param([0.5, 0.4, 0.3], 2, 0.0, 0, 2, id="epoch 0 counts"),
        pytest.param([0.1, 0.2, 0.2, 0.2], 2, 0.0, 1, 3, id="the same is not better"),
        pytest.param([0.1, 0.2, 0.1, 0.3, 0.2], 2, 0.0, 3, None, id="patience starts"),
        pytest.param([0.1, 0.0], 1, 0.0, 0, 1, id="patience of one"),
        pytest.param([0.10, 0.11, 0.12], 2, 0.05, 0, 2, id="below min_delta"),
        pytest.param([0.10, 0.13, 0.16], 2, 0.05, 2, None, id="small steps add up"),
        pytest.param([0.25, 0.5], 1, 0.25, 0, 1, id="exactly min_delta is too little"),
        pytest.param([-0.5, -0.4], 1, 0.05, 1, None, id="negative, better"),
        pytest.param([-0.5, -0.52], 1, 0.05, 0, 1, id="negative, worse by less"),
        pytest.param([-10.0, -9.5], 1, 0.4, 1, None, id="absolute, not relative"),
        pytest.param([0.0], 1, 0.0, 0, None, id="nothing yet"),
    ],
)
def test_the_best_epoch_and_the_stop(
    scores: list[float],
    patience: int,
    min_delta: float,
    best_epoch: int,
    stops_at: int | None,
) -> None:
    stopping = EarlyStopping(patience, min_delta)

    stops = []
    for score in scores:
        stopping.update(score)
        stops.append(stopping.should_stop)

    assert stopping.best_epoch == best_epoch
    assert stopping.best_score == scores[best_epoch]
    assert (stops.index(True) if any(stops) else None) == stops_at


def test_update_says_which_scores_are_new_bests() -> None:
    stopping = EarlyStopping(patience=9)

    answers = [stopping.update(score) for score in (-1.0, -1.0, -0.5, -0.7, 0.0)]

    assert answers == [True, False, True, False, True]


def test_the_untrained_state_is_a_best_however_low_it_scores() -> None:
    stopping = EarlyStopping(patience=1, min_delta=0.5)

    assert stopping.update(float("-inf"))
    assert stopping.best_epoch == 0
