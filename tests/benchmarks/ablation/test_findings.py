from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.ablation.comparison import cross_fitted_gain, gain
from benchmarks.ablation.failures import FAILURES
from benchmarks.ablation.figures import MemoryFigures
from benchmarks.ablation.finding import Finding, Sign, in_words
from benchmarks.ablation.findings import findings
from benchmarks.ablation.results import EpochFigures, Result, pack_hits
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.statistics import Estimate
from tests.benchmarks.ablation.conftest import spread

pytestmark = pytest.mark.slow

Change = Callable[..., Study]


@pytest.fixture
def change() -> Change:
    """Change a run of the tiny study: hits after the last epoch, its figures."""

    def make(
        study: Study,
        name: str,
        *,
        hits: Callable[[int], Any] | None = None,
        last: dict[str, Any] | None = None,
        first: dict[str, Any] | None = None,
        **fields: Any,  # noqa: ANN401 - as varied as the fields
    ) -> Study:
        result = study.results[name]
        epochs = list(result.epochs)
        epochs[1] = replace(epochs[1], **(first or {}))
        epochs[-1] = replace(epochs[-1], **(last or {}))
        result = replace(result, epochs=tuple(epochs), **fields)
        if hits is not None:
            result = with_hits(result, hits)
        return replace(study, results={**study.results, name: result})

    return make


def with_hits(result: Result, hits: Callable[[int], Any]) -> Result:
    """Give a run the hits that a function of the epoch says, in all pools."""
    epochs: list[EpochFigures] = []
    packed = []
    for epoch in result.epochs:
        hit_Q = np.broadcast_to(hits(epoch.number), result.num_windows)
        packed.append(pack_hits(hit_Q))
        share = float(np.mean(hit_Q))
        epochs.append(replace(epoch, hit5={"targets": share, "documents": share}))
    hits_of: Any = {
        "targets": tuple(packed),
        "documents": tuple(packed),
        "index": tuple(packed[-1:]),
    }
    return replace(result, epochs=tuple(epochs), hits=hits_of)


def row(study: Study, name: str) -> Finding:
    return next(f for f in findings(study) if f.failure.name == name)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        pytest.param(0.01, 0.05, "the fix brings +3.0 points", id="above zero"),
        pytest.param(-0.01, 0.07, "no difference that can be told", id="around zero"),
        pytest.param(-0.07, -0.01, "the fix does harm, -3.0 points", id="below zero"),
        pytest.param(-np.inf, np.inf, "no difference that can be told", id="unknown"),
    ],
)
def test_the_interval_chooses_the_words(low: float, high: float, words: str) -> None:
    value = -0.03 if high < 0 else 0.03

    assert in_words(Estimate(value=value, low=low, high=high)).startswith(words)


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        ((True, True), "reproduced"),
        ((True, False), "partly reproduced"),
        ((False, False), "not reproduced here"),
    ],
)
def test_the_signs_choose_the_verdict(held: tuple[bool, ...], verdict: str) -> None:
    signs = tuple(Sign(expected="", found="", holds=one) for one in held)

    finding = Finding(failure=FAILURES[0], signs=signs, here="", fix="")

    assert finding.verdict == verdict


def test_a_failure_and_its_fix_are_found_where_the_numbers_say_so(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    study = change(
        study,
        "change-loss",
        hits=lambda epoch: epoch < 2,
        first={"change_alike": 0.95, "change_cosine": 0.0},
        last={"change_cosine": 0.4},
    )
    study = change(study, "vector-loss", hits=lambda _: True)

    finding = row(study, "delta-loss")

    assert finding.verdict == "reproduced"
    assert "the fix brings +100.0 points [+100.0, +100.0]" in finding.fix
    assert "100.0 % after epoch 1, 0.0 % after epoch 2" in finding.here


def test_it_is_not_reproduced_where_they_do_not(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    study = change(
        study,
        "change-loss",
        hits=lambda epoch: epoch > 1,
        first={"change_alike": 0.1, "change_cosine": 0.4},
        last={"change_cosine": 0.0},
    )
    study = change(study, "vector-loss", hits=lambda _: False)
    copied = study.references["copy-last"]
    none = {pool: np.zeros_like(hit_Q) for pool, hit_Q in copied.hits.items()}
    references = {**study.references, "copy-last": replace(copied, hits=none)}
    study = replace(study, references=references)

    finding = row(study, "delta-loss")

    assert finding.verdict == "not reproduced here"
    assert "the fix does harm, -100.0 points" in finding.fix


def test_too_few_documents_tell_nothing(tiny_study: Study) -> None:
    finding = row(tiny_study, "unit-delta")

    assert finding.verdict == "not reproduced here"
    assert "no difference that can be told" in finding.fix
    assert "too few documents for an interval" in finding.fix


def test_a_collapsed_memory_is_called_one(tiny_study: Study, change: Change) -> None:
    dead = MemoryFigures(
        slot_cosine=1.0, attention_entropy=1.0, read_variance=0.0, pass_difference=0.1
    )
    alive = MemoryFigures(
        slot_cosine=0.0, attention_entropy=0.5, read_variance=0.5, pass_difference=0.0
    )

    verdicts = [
        row(change(tiny_study, "batch-mean-memory", memory=one), "batch-mean-memory")
        for one in (dead, alive)
    ]

    assert [f.verdict for f in verdicts] == ["reproduced", "not reproduced here"]
    assert "mean cosine between slots 1.000" in verdicts[0].here


def test_stopping_is_measured_on_documents_that_did_not_choose(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    study = change(
        study,
        "seed-recipe",
        hits=lambda epoch: epoch == 1,
        first={"train_change_cosine": 0.1, "change_cosine": 0.1},
        last={"train_change_cosine": 0.9, "change_cosine": 0.1},
    )

    finding = row(study, "no-early-stopping")

    assert finding.verdict == "reproduced"
    assert "stopping brings +100.0 points" in finding.fix


def test_an_epoch_that_only_chance_made_best_brings_nothing(
    tiny_study: Study,
) -> None:
    documents = np.arange(tiny_study.results["seed-recipe"].num_windows) % 12
    # even documents are hits after epoch 1, odd ones after epoch 2
    result = with_hits(
        tiny_study.results["seed-recipe"], lambda epoch: documents % 2 == (epoch - 1)
    )

    found = cross_fitted_gain(result, "targets", documents)

    assert found.value < 0


def test_a_leak_is_what_the_same_windows_gain_by_it(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 30)
    leak = study.results["windows-dealt"].leak
    assert leak is not None
    leak = replace(leak, input_share=0.96)
    study = change(study, "windows-dealt", hits=lambda _: True, leak=leak)
    leaky = row(change(study, "free-change", hits=lambda _: False), "split-by-window")
    sound = row(change(study, "free-change", hits=lambda _: True), "split-by-window")

    assert leaky.verdict == "reproduced"
    assert "the leak brings +100.0 points" in leaky.fix
    assert "That much is no skill" in leaky.fix
    assert sound.verdict == "partly reproduced"
    assert "That much is no skill" not in sound.fix


def test_the_remedies_are_judged_by_their_gain(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    study = change(study, "seed-recipe", hits=lambda _: False)
    study = change(study, "seed-recipe-slower", hits=lambda _: True)
    study = change(study, "seed-recipe-dropout", hits=lambda _: False)

    (_, slower), (_, dropout) = (
        row(study, name).signs for name in ("rate-and-contrast", "dropout")
    )
    assert slower.holds
    assert not dropout.holds


@pytest.mark.parametrize(("factor", "holds"), [(1.04, False), (1.06, True)])
def test_a_loss_that_ends_above_its_lowest_is_a_divergence(
    tiny_study: Study, change: Change, factor: float, holds: bool
) -> None:
    study = change(
        tiny_study,
        "seed-recipe",
        first={"train_loss": 0.1},
        last={"train_loss": 0.1 * factor},
    )

    symptom = row(study, "rate-and-contrast").signs[0]

    assert symptom.holds is holds
    assert symptom.found == f"lowest 0.100, last {0.1 * factor:.3f}"


@pytest.mark.parametrize(("gap", "holds"), [(0.09, False), (0.11, True)])
def test_over_fitting_is_a_gap_between_training_and_validation(
    tiny_study: Study, change: Change, gap: float, holds: bool
) -> None:
    study = change(
        tiny_study,
        "seed-recipe",
        last={"train_change_cosine": 0.2 + gap, "change_cosine": 0.2},
    )

    symptom = row(study, "dropout").signs[0]

    assert symptom.holds is holds
    assert symptom.found == f"{gap:+.3f}"


def test_a_high_cosine_with_few_hits_is_the_failure_of_the_squared_error(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    copied = study.references["copy-last"]
    every = {pool: np.ones_like(hit_Q) for pool, hit_Q in copied.hits.items()}
    references = {**study.references, "copy-last": replace(copied, hits=every)}
    study = replace(study, references=references)
    study = change(
        study,
        "squared-error",
        hits=lambda _: False,
        last={"cosine": 0.99, "prediction_alike": 0.99},
    )

    assert row(study, "mse-only").verdict == "reproduced"


def test_a_cosine_without_skill_is_the_failure_of_the_shortcut(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    skilless = study.references["minus the last vector"].change_cosine
    assert skilless is not None
    study = change(
        study,
        "change-loss-shortcut",
        hits=lambda _: False,
        last={"change_cosine": skilless},
    )

    assert row(study, "delta-shortcut").signs[0].holds


def test_a_gain_at_the_best_epochs_is_not_that_at_the_last(
    tiny_study: Study, change: Change
) -> None:
    study = spread(tiny_study, 12)
    study = change(study, "change-loss", hits=lambda epoch: epoch == 1)
    study = change(study, "vector-loss", hits=lambda _: True)
    failure = FAILURES[0]

    assert gain(study, failure, "targets").value == 1
    assert gain(study, failure, "targets", at_best=True).value == 0


@pytest.mark.parametrize(
    ("run", "field"), [("batch-mean-memory", "memory"), ("windows-dealt", "leak")]
)
def test_a_run_without_its_figures_is_named(
    tiny_study: Study, change: Change, run: str, field: str
) -> None:
    study = change(tiny_study, run, **{field: None})

    with pytest.raises(ValueError, match=f"{run}: no figures"):
        findings(study)
