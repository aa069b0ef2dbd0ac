import signal
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import typer

from nextvec.training.commands import listener
from nextvec.training.commands.listener import ConsoleListener, busy_processors
from nextvec.training.listener import Epoch, NullListener, Plan

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


PLAN = Plan(k=10, pool="index", max_epochs=6, patience=4, epochs_done=None)


def test_the_plan_names_k_and_pool_and_the_epochs_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ConsoleListener() as listener:
        listener.stage("training")
        listener.plan(PLAN)
        listener.epoch(EPOCH)
    first = capsys.readouterr().out
    with ConsoleListener() as listener:
        listener.plan(replace(PLAN, epochs_done=3))
    second = capsys.readouterr().out

    assert "at most 6 epochs; ends once validation Hit@10 in “index”" in first
    assert "validation Hit@10 43.21 %" in first
    assert "going on" not in first
    assert "going on after epoch 3, which an earlier call finished" in second


def test_an_error_takes_the_bar_away_and_goes_on() -> None:
    def crash() -> None:
        with ConsoleListener() as listener:
            listener.stage("training")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        pytest.param([], "Stopped before anything was begun;", id="nothing"),
        pytest.param(
            ["measuring the baselines"], "Stopped while measuring the bas", id="stage"
        ),
        pytest.param(
            ["training", EPOCH], "Stopped after epoch 3; the same", id="epoch"
        ),
        pytest.param(
            ["training", EPOCH, "judging"], "Stopped while judging;", id="after"
        ),
    ],
)
@pytest.mark.parametrize("signaled", [False, True])
def test_an_interruption_ends_in_a_sentence(
    heard: list[str | Epoch],
    said: str,
    signaled: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stop() -> None:
        with ConsoleListener() as listener:
            for one in heard:
                if isinstance(one, Epoch):
                    listener.epoch(one)
                else:
                    listener.stage(one)
            if signaled:
                signal.raise_signal(signal.SIGTERM)
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        stop()

    assert ended.value.exit_code == 130
    assert said in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_in_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with ConsoleListener():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [before]


def test_the_null_listener_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    listener = NullListener()

    listener.stage("training")
    listener.phase("epoch 1")
    listener.progress(1, 2)
    listener.plan(PLAN)
    listener.epoch(EPOCH)

    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_an_epoch_is_plain_types() -> None:
    assert Epoch(**EPOCH.to_dict()) == EPOCH


@pytest.mark.parametrize(("busy", "is_told"), [(0.4, False), (1.9, True)])
def test_a_busy_machine_is_told_at_the_start(
    busy: float,
    is_told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(listener, "busy_processors", lambda: busy)

    with ConsoleListener():
        pass

    assert ("OMP_NUM_THREADS=1 helps" in capsys.readouterr().out) is is_told


def test_others_are_counted_by_what_they_spend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, times = iter([7.0, 7.5]), iter([(10.0, 2.0, 5.0), (10.6, 9.0, 5.15)])

    def spent() -> SimpleNamespace:
        user, nice, system = next(times)
        return SimpleNamespace(user=user, nice=nice, system=system)

    monkeypatch.setattr("psutil.cpu_times", spent)
    monkeypatch.setattr(
        listener,
        "time",
        SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock)),
    )

    assert busy_processors() == pytest.approx((0.6 + 0.15) / 0.5)
