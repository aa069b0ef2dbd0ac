from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.segments import batches
from nextvec.training.errors import TrainingError
from nextvec.training.fit.loop import Trained, accelerator, fit
from nextvec.training.fit.monitor import selection_score
from nextvec.training.listener import Epoch, NullListener, Plan
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.head import DeltaHead
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run_folder import STATE, WEIGHTS
from nextvec.training.vectors import Int64

Fit = Callable[..., Trained]


@pytest.fixture(scope="module")
def prepared(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
) -> Preparation:
    return prepare(tiny_corpus, tiny_config, SharedCache(), NullListener())


@pytest.fixture
def start(prepared: Preparation, tiny_config: TrainingConfig, tmp_path: Path) -> Fit:
    def run(
        listener: NullListener | None = None,
        spoil: Callable[[NextVectorModel], object] = id,
        **told: object,
    ) -> Trained:
        told = {"reads": "vectors"} | told
        config = replace(tiny_config, **told)  # type: ignore[arg-type]
        torch.manual_seed(config.seed)
        model = NextVectorModel(ModelConfig.of(config, dim=prepared.corpus.dim))
        spoil(model)
        return fit(model, prepared, config, tmp_path, listener or NullListener())

    return run


def test_a_loss_that_is_not_finite_stops_with_epoch_and_step(start: Fit) -> None:
    # the first step throws the weights to 1e30, the second loss shows it
    with pytest.raises(TrainingError, match="the loss of epoch 1, step 2 is nan"):
        start(lr=1e30)


def test_a_gradient_that_is_not_finite_stops_with_epoch_and_step(
    start: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flat(prediction_PD: Tensor, *_: object) -> Tensor:
        # 0, whose derivative is infinite
        return (prediction_PD - prediction_PD.detach()).square().sum().sqrt()

    monkeypatch.setattr("nextvec.training.fit.document_loss.mixed_loss", flat)

    with pytest.raises(TrainingError, match="the gradient of epoch 1, step 1 is nan"):
        start()


def test_a_weight_that_is_not_finite_stops_with_the_epoch(
    start: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(self: torch.optim.AdamW, *_: object) -> None:
        for group in self.param_groups:
            group["params"][0].data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.AdamW, "step", overflow)

    # one step in the epoch: no later loss could notice
    with pytest.raises(TrainingError, match="a weight is not finite after epoch 1"):
        start(batch_size=1000)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_predictions_that_are_not_finite_stop_with_the_epoch(
    start: Fit, value: float
) -> None:
    def spoil(model: NextVectorModel) -> None:
        assert isinstance(model.head, DeltaHead)
        torch.nn.init.constant_(model.head.free.bias, value)

    with pytest.raises(TrainingError, match="after epoch 0 the model predicts NaN"):
        start(spoil=spoil)


def test_a_failed_run_leaves_no_best_weights(start: Fit, tmp_path: Path) -> None:
    def spoil(model: NextVectorModel) -> None:
        assert isinstance(model.head, DeltaHead)
        torch.nn.init.constant_(model.head.free.bias, float("nan"))

    with pytest.raises(TrainingError):
        start(spoil=spoil)

    assert not (tmp_path / WEIGHTS).exists()


def test_the_untrained_state_is_epoch_0(start: Fit, prepared: Preparation) -> None:
    trained = start(max_epochs=0)

    assert len(trained.history) == 1
    assert trained.history[0].number == trained.best_epoch == 0
    assert trained.history[0].step_loss is None
    assert trained.history[0].is_best
    base = prepared.fitted_baselines
    assert base
    assert trained.best_score == trained.history[0].score


def test_a_run_stops_when_patience_is_over(start: Fit) -> None:
    # no Hit@5 can rise by 2
    trained = start(max_epochs=9, patience=2, min_delta=2.0)

    assert [epoch.number for epoch in trained.history] == [0, 1, 2]
    assert trained.best_epoch == 0
    assert [epoch.is_best for epoch in trained.history] == [True, False, False]


def test_the_best_weights_are_restored_and_not_the_last(
    start: Fit, prepared: Preparation
) -> None:
    torch.manual_seed(0)
    config = replace(prepared.config, reads="vectors")
    untrained = NextVectorModel(ModelConfig.of(config, dim=prepared.corpus.dim))

    trained = start(max_epochs=2, min_delta=2.0)

    state = trained.model.state_dict()
    assert all(torch.equal(state[n], t) for n, t in untrained.state_dict().items())
    assert selection_score(trained.model, prepared) == trained.best_score
    assert not trained.model.training


def test_training_lowers_the_loss(start: Fit) -> None:
    trained = start(max_epochs=3)

    losses = [epoch.step_loss for epoch in trained.history[1:]]
    assert None not in losses
    assert losses == sorted(losses, reverse=True)  # type: ignore[type-var]
    assert trained.history[-1].validation_loss < trained.history[0].validation_loss
    assert all(epoch.seconds > 0 for epoch in trained.history)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"lambda_mse": 1.0, "lambda_infonce": 0.0}, id="squared error"),
        pytest.param({"lambda_cosine": 1.0, "lambda_infonce": 0.0}, id="cosine"),
        pytest.param({"document_negatives": 0}, id="bank only"),
        pytest.param({"gce_q": 0.0}, id="plain InfoNCE"),
        pytest.param({"architecture": "baseline"}, id="baseline"),
        pytest.param({"architecture": "hierarchical"}, id="hierarchical"),
    ],
)
def test_every_option_of_the_loss_trains(start: Fit, told: dict[str, object]) -> None:
    trained = start(max_epochs=1, **told)

    first, last = trained.history
    assert last.validation_loss != first.validation_loss


def test_the_listener_hears_every_step_and_epoch(start: Fit) -> None:
    heard: list[object] = []

    class Hearing(NullListener):
        def plan(self, plan: Plan) -> None:
            heard.append(plan)

        def phase(self, what: str) -> None:
            heard.append(what)

        def progress(self, done: int, total: int) -> None:
            heard.append((done, total))

        def epoch(self, epoch: Epoch) -> None:
            heard.append(epoch.number)

    start(Hearing(), max_epochs=1, batch_size=4)

    measured = [(done, 4) for done in range(1, 5)]
    first = heard.index("epoch 1 of at most 1: training") + 1
    last = heard.index("epoch 1: measuring on validation")
    steps = heard[first:last]
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    assert heard[1 : first - 1] == ["epoch 0: measuring on validation", *measured, 0]
    assert heard[last + 1 :] == [*measured, 1, "measuring the best weights, restored"]
    assert isinstance(heard[0], Plan)
    assert (heard[0].max_epochs, heard[0].epochs_done) == (1, None)


def test_every_seed_and_every_epoch_has_batches_of_its_own(
    start: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    def remember(
        segments: Int64, size: int, rng: np.random.Generator
    ) -> Iterator[Int64]:
        seen.append(b"".join(batch.tobytes() for batch in batches(segments, size, rng)))
        yield segments

    monkeypatch.setattr("nextvec.training.corpus.segments.batches", remember)

    for seed in (0, 1, 0):
        start(max_epochs=2, seed=seed)
        (tmp_path / STATE).unlink()

    assert len(seen) == 6
    assert seen[4:] == seen[:2]
    assert len(set(seen)) == 4


def test_the_learning_rate_rises_over_the_warm_up(
    start: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    real = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *args: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return real(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)

    start(max_epochs=2, warmup_steps=3, lr=0.03)

    assert rates[:4] == pytest.approx([0.01, 0.02, 0.03, 0.03])


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert accelerator("auto") == accelerator("cpu") == "cpu"
    with pytest.raises(TrainingError, match="--device cuda: torch finds no GPU"):
        accelerator("cuda")


def test_a_gpu_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert accelerator("auto") == accelerator("cuda") == "cuda"
    assert accelerator("cpu") == "cpu"
