from dataclasses import replace

import pytest

from training.commands.listener import ConsoleListener
from training.listener import Epoch, NullListener

EPOCH = Epoch(
    number=3,
    score=0.4321,
    step_loss=1.23456,
    train_loss=1.5,
    validation_loss=1.0,
    train_cosine=0.5,
    validation_cosine=0.5,
    train_score=0.5,
    seconds=2.55,
    is_best=True,
)


def test_stages_and_epochs_are_said_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ConsoleListener() as listener:
        listener.stage("measuring the baselines")
        listener.progress(1, 2)
        listener.epoch(replace(EPOCH, number=0, step_loss=None, is_best=False))
        listener.epoch(EPOCH)

    said = capsys.readouterr().out
    assert "· measuring the baselines" in said
    first, second = [line for line in said.splitlines() if "validation Hit@K" in line]
    assert "epoch  0" in first
    assert "best yet" not in first
    assert "epoch  3   training loss 1.235   validation Hit@K 43.21 %" in second
    assert "best yet" in second
    assert len(second) < 80


def test_an_error_takes_the_bar_away_and_goes_on() -> None:
    def crash() -> None:
        with ConsoleListener() as listener:
            listener.stage("training")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()


def test_the_null_listener_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    listener = NullListener()

    listener.stage("training")
    listener.progress(1, 2)
    listener.epoch(EPOCH)

    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_an_epoch_is_plain_types() -> None:
    assert Epoch(**EPOCH.to_dict()) == EPOCH
