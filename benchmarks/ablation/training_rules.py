"""Rules for the failures of memory, split and recipe: how a network is trained."""

from typing import Final

from benchmarks.ablation.comparison import cross_fitted_gain
from benchmarks.ablation.failures import Failure
from benchmarks.ablation.figures import MemoryFigures
from benchmarks.ablation.finding import Finding, Sign, costs_hits, in_words, with_gain
from benchmarks.ablation.results import Result, unpack_hits
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.statistics import estimate, points
from nextvec.training.reporting.finding import WIDENED_COSINE
from nextvec.training.reporting.formats import percent

COLLAPSED: Final = 0.99
"""Cosine between slots, and entropy against uniform, above which a memory is none."""

SAME_READ: Final = 0.001
"""Variance of the reads, of their squared length, below which they are a constant."""

SAME_PASS: Final = 1e-6
"""Difference of two passes of one input up to which they are the same."""

DIVERGED: Final = 1.05
"""Times its lowest training loss at which a run that ends above it has diverged."""

MOSTLY: Final = 0.5
"""Share above which "most" is said."""


def memory(study: Study, failure: Failure) -> Finding:
    """Judge a memory that is written with means of batches."""
    broken, mended = (
        _memory_of(study.results[name]) for name in (failure.broken, failure.mended)
    )
    signs = (
        Sign(
            expected=f"all slots the same vector, cosine above {COLLAPSED}",
            found=f"{broken.slot_cosine:.4f}",
            holds=broken.slot_cosine > COLLAPSED,
        ),
        Sign(
            expected=f"attention uniform, entropy above {COLLAPSED} of the greatest",
            found=f"{broken.attention_entropy:.6f}",
            holds=broken.attention_entropy > COLLAPSED,
        ),
        Sign(
            expected=f"the same read for all inputs, variance below {SAME_READ}",
            found=f"{broken.read_variance:.1e} of the squared length",
            holds=broken.read_variance < SAME_READ,
        ),
        Sign(
            expected=f"two passes of one input differ by more than {SAME_PASS}",
            found=f"by up to {broken.pass_difference:.1e}",
            holds=broken.pass_difference > SAME_PASS,
        ),
    )
    here = f"After the last epoch: {_memory_in_words(broken)}."
    return with_gain(
        study, failure, signs, here, first=f"Learned slots: {_memory_in_words(mended)}."
    )


def early_stopping(study: Study, failure: Failure) -> Finding:
    """Judge training on after the best epoch."""
    result = study.results[failure.broken]
    last, best = result.epochs[-1], result.best_epoch("targets")
    copied = study.references["copy-last"]
    stopped = {
        pool: cross_fitted_gain(result, pool, study.data.documents)
        for pool in ("targets", "documents")
    }
    first_gap, last_gap = (_gap(result, number) for number in (1, -1))
    signs = (
        Sign(
            expected="an earlier epoch is better than the last",
            found=points(stopped["targets"]),
            holds=stopped["targets"].low > 0,
        ),
        Sign(
            expected=(
                "the cosine of the change in training leaves that in validation "
                f"behind by {WIDENED_COSINE:.2f} more than at epoch 1"
            ),
            found=f"{first_gap:+.3f} to {last_gap:+.3f}",
            holds=last_gap - first_gap > WIDENED_COSINE,
        ),
    )
    here = (
        f"Hit@5 in targets {percent(result.epochs[0].hit5['targets'])} untrained, "
        f"{percent(result.epochs[1].hit5['targets'])} after epoch 1, "
        f"{percent(result.epochs[best].hit5['targets'])} after the best epoch, {best}, "
        f"{percent(last.hit5['targets'])} after epoch {last.number}; copy-last "
        f"{percent(float(copied.hits['targets'].mean()))}. Cosine of the "
        f"change there: training {last.train_change_cosine or 0:.3f}, validation "
        f"{last.change_cosine:.3f}."
    )
    fix = (
        "Stopped at the epoch that one half of the documents calls best, measured on "
        f"the other: in targets {in_words(stopped['targets'], 'stopping')}, in "
        f"documents {in_words(stopped['documents'], 'stopping')}."
    )
    return Finding(failure=failure, signs=signs, here=here, fix=fix)


def split_by_window(study: Study, failure: Failure) -> Finding:
    """Judge windows dealt out instead of documents."""
    broken, mended = (study.results[n] for n in (failure.broken, failure.mended))
    leak = broken.leak
    if leak is None:
        msg = f"{broken.variant.name}: no figures of a leak"
        raise ValueError(msg)
    shared = unpack_hits(leak.is_shared, broken.num_windows)
    excess = {
        pool: estimate(
            broken.hits_at(pool, -1)[shared].astype(float)
            - mended.hits_at(pool, -1)[shared],
            study.data.documents[shared],
        )
        for pool in ("targets", "documents")
    }
    signs = (
        Sign(
            expected="most validation targets are inputs of training windows",
            found=percent(leak.input_share),
            holds=leak.input_share > MOSTLY,
        ),
        Sign(
            expected="a leak makes Hit@5 higher on the same windows",
            found=points(excess["targets"]),
            holds=excess["targets"].low > 0,
        ),
    )
    copied = float(study.references["copy-last"].hits["targets"].mean())
    here = (
        f"{percent(leak.input_share)} of its {leak.num_validation} validation targets "
        f"are inputs of training windows. By its own validation it has Hit@5 "
        f"{percent(leak.own_hit5)} among the {leak.own_size} targets (copy-last "
        f"{percent(leak.own_copy_hit5)}), {percent(leak.targets_hit5)} of N = 1,148 "
        f"(copy-last {percent(leak.targets_copy_hit5)}); the same recipe, split by "
        f"document, {percent(mended.epochs[-1].hit5['targets'])} (copy-last "
        f"{percent(copied)})."
    )
    fix = (
        f"On the {int(shared.sum())} validation windows of the protocol that neither "
        f"training has as a target ({percent(leak.shared_input_share)} are inputs of "
        f"the leaky one): in targets {in_words(excess['targets'], 'the leak')}, in "
        f"documents {in_words(excess['documents'], 'the leak')}."
    )
    if excess["targets"].low > 0:
        fix += " That much is no skill, and a split by document takes it away."
    return Finding(failure=failure, signs=signs, here=here, fix=fix)


def slower(study: Study, failure: Failure) -> Finding:
    """Judge the advice against a training that diverges."""
    losses = [
        epoch.train_loss
        for epoch in study.results[failure.broken].epochs
        if epoch.train_loss is not None
    ]
    diverges = Sign(
        expected=f"training diverges: its loss ends above {DIVERGED} times its lowest",
        found=f"lowest {min(losses):.3f}, last {losses[-1]:.3f}",
        holds=losses[-1] > DIVERGED * min(losses),
    )
    return _advised(study, failure, diverges)


def dropout(study: Study, failure: Failure) -> Finding:
    """Judge the advice against over-fitting."""
    gap = _gap(study.results[failure.broken], -1)
    over_fits = Sign(
        expected=(
            "over-fitting: the cosine of the change in training above that in "
            f"validation by more than {WIDENED_COSINE:.2f}"
        ),
        found=f"{gap:+.3f}",
        holds=gap > WIDENED_COSINE,
    )
    return _advised(study, failure, over_fits)


def _advised(study: Study, failure: Failure, symptom: Sign) -> Finding:
    """Judge what the original report advises: the symptom, and what it costs."""
    broken, mended = (study.results[n] for n in (failure.broken, failure.mended))
    gaps = (_gap(broken, -1), _gap(mended, -1))
    here = (
        f"Hit@5 in targets {percent(broken.epochs[-1].hit5['targets'])}, with what the "
        f"report advises {percent(mended.epochs[-1].hit5['targets'])}; the cosine of "
        f"the change is {gaps[0]:+.3f} higher in training than in validation, advised "
        f"{gaps[1]:+.3f}."
    )
    return with_gain(study, failure, (symptom, costs_hits(study, failure)), here)


def _gap(result: Result, number: int) -> float:
    epoch = result.epochs[number]
    return (epoch.train_change_cosine or 0.0) - epoch.change_cosine


def _memory_of(result: Result) -> MemoryFigures:
    if result.memory is None:
        msg = f"{result.variant.name}: no figures of a memory"
        raise ValueError(msg)
    return result.memory


def _memory_in_words(memory: MemoryFigures) -> str:
    return (
        f"mean cosine between slots {memory.slot_cosine:.3f}, entropy of the attention "
        f"{memory.attention_entropy:.4f} of a uniform one's, variance of the read over "
        f"inputs {memory.read_variance:.1e} of its squared length, two passes of one "
        f"input differ by {memory.pass_difference:.1e}"
    )
