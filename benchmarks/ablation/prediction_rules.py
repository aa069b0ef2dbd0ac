"""Rules for the failures of loss and output: what a prediction is taught to be."""

from typing import Final

from benchmarks.ablation.comparison import against_copy
from benchmarks.ablation.failures import Failure
from benchmarks.ablation.figures import mean_pairwise_cosine
from benchmarks.ablation.finding import (
    Finding,
    Sign,
    below_copy,
    costs_hits,
    not_above_copy,
    with_gain,
)
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.statistics import estimate, points
from nextvec.training.reporting.formats import percent

CONSTANT: Final = 0.9
"""Mean cosine between answers from which on they are called nearly a constant. Those
of the validation targets of the sample `docs` have .12 between each other."""

RISEN: Final = 0.02
"""Rise of a mean cosine that counts as one."""

NEAR: Final = 0.05
"""Mean cosine within which one predictor is said to reach another."""


def change_loss(study: Study, failure: Failure) -> Finding:
    """Judge the loss on the normalized change."""
    broken = study.results[failure.broken]
    first, last = broken.epochs[1], broken.epochs[-1]
    copied = against_copy(study, broken, "targets")
    drop = estimate(
        broken.hits_at("targets", -1).astype(float) - broken.hits_at("targets", 1),
        study.data.documents,
    )
    signs = (
        Sign(
            expected=f"output of epoch 1 nearly a constant, from {CONSTANT} on",
            found=f"mean cosine between answers {first.change_alike:.3f}",
            holds=first.change_alike >= CONSTANT,
        ),
        Sign(
            expected="the cosine of the change rises",
            found=f"{first.change_cosine:.3f} to {last.change_cosine:.3f}",
            holds=last.change_cosine > first.change_cosine + RISEN,
        ),
        Sign(
            expected="Hit@5 falls from epoch 1 to the last",
            found=points(drop),
            holds=drop.high < 0,
        ),
        not_above_copy(copied),
    )
    before = broken.epochs[0]
    here = (
        f"Hit@5 in targets {percent(first.hit5['targets'])} after epoch 1, "
        f"{percent(last.hit5['targets'])} after epoch {last.number}, while the cosine "
        f"of the change goes from {first.change_cosine:.3f} to "
        f"{last.change_cosine:.3f}. {_no_skill(study)} Mean cosine between the answers "
        f"for two windows: {before.change_alike:.3f} untrained, "
        f"{first.change_alike:.3f} after epoch 1, {last.change_alike:.3f} at the end."
    )
    return with_gain(study, failure, signs, here)


def shortcut(study: Study, failure: Failure) -> Finding:
    """Judge the same loss where the last vector reaches the output."""
    broken = study.results[failure.broken]
    last = broken.epochs[-1]
    skilless = _change_cosine_without_skill(study)
    signs = (
        Sign(
            expected="the cosine of the change reaches that of “minus the last vector”",
            found=f"{last.change_cosine:.3f} against {skilless:.3f}",
            holds=last.change_cosine >= skilless - NEAR,
        ),
        below_copy(against_copy(study, broken, "targets")),
    )
    here = (
        f"Cosine of the change {last.change_cosine:.3f}, Hit@5 in targets "
        f"{percent(last.hit5['targets'])} after epoch {last.number}. "
        f"{_no_skill(study)}"
    )
    return with_gain(study, failure, signs, here)


def unit_change(study: Study, failure: Failure) -> Finding:
    """Judge a change that is forced to length 1."""
    broken, mended = (study.results[n] for n in (failure.broken, failure.mended))
    here = (
        f"Hit@5 in targets {percent(broken.epochs[-1].hit5['targets'])}, cosine "
        f"{broken.epochs[-1].cosine:.3f}; with a change of any length "
        f"{percent(mended.epochs[-1].hit5['targets'])} and "
        f"{mended.epochs[-1].cosine:.3f}."
    )
    return with_gain(study, failure, (costs_hits(study, failure),), here)


def squared_error(study: Study, failure: Failure) -> Finding:
    """Judge the squared error alone."""
    broken = study.results[failure.broken]
    last, copy = broken.epochs[-1], study.references["copy-last"]
    alike = mean_pairwise_cosine(study.data.target_QD)
    copied = copy.cosine or 0.0
    signs = (
        Sign(
            expected="a higher cosine to the target than copying",
            found=f"{last.cosine:.3f} against {copied:.3f}",
            holds=last.cosine > copied,
        ),
        below_copy(against_copy(study, broken, "targets")),
        Sign(
            expected="predictions more alike than targets are: towards the mean",
            found=f"mean cosine {last.prediction_alike:.3f} against {alike:.3f}",
            holds=last.prediction_alike > alike,
        ),
    )
    mended = study.results[failure.mended].epochs[-1]
    here = (
        f"Cosine to the target {last.cosine:.3f} (copy-last {copied:.3f}), Hit@5 in "
        f"targets {percent(last.hit5['targets'])} (copy-last "
        f"{percent(float(copy.hits['targets'].mean()))}). Mean cosine between two "
        f"predictions {last.prediction_alike:.3f}, between two targets {alike:.3f}."
    )
    first = f"With all terms the cosine is {mended.cosine:.3f}."
    return with_gain(study, failure, signs, here, first=first)


def _change_cosine_without_skill(study: Study) -> float:
    return study.references["minus the last vector"].change_cosine or 0.0


def _no_skill(study: Study) -> str:
    without = study.references["minus the last vector"]
    copied = float(study.references["copy-last"].hits["targets"].mean())
    return (
        f"“Minus the last vector” has {_change_cosine_without_skill(study):.3f} and "
        f"Hit@5 {percent(float(without.hits['targets'].mean()))}, copy-last 0 and "
        f"{percent(copied)}."
    )
