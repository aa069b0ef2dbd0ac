"""One row of the study: what shows a failure, and the words that intervals choose."""

import math
from dataclasses import dataclass
from typing import Literal

from benchmarks.ablation.comparison import against_copy, gain
from benchmarks.ablation.failures import Failure
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.reporting.formats import percent

Verdict = Literal["reproduced", "partly reproduced", "not reproduced here"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something that the failure would show, and whether it does here."""

    expected: str
    found: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of the study."""

    failure: Failure
    signs: tuple[Sign, ...]
    here: str
    """What happens here, in numbers."""

    fix: str
    """What the fix brings, in words that the interval chooses."""

    @property
    def verdict(self) -> Verdict:
        """Whether the failure shows here: all of its signs, some, or none."""
        held = sum(sign.holds for sign in self.signs)
        if held == len(self.signs):
            return "reproduced"
        return "partly reproduced" if held else "not reproduced here"


def in_words(found: Estimate, what: str = "the fix") -> str:
    """Say what a difference of shares is worth; its interval chooses the words.

    Example:
        >>> in_words(Estimate(value=0.03, low=0.01, high=0.05))
        'the fix brings +3.0 points [+1.0, +5.0]'
        >>> in_words(Estimate(value=0.03, low=-0.01, high=0.07))
        'no difference that can be told, +3.0 points [-1.0, +7.0]'
    """
    if found.low > 0:
        return f"{what} brings {points(found)}"
    if found.high < 0:
        return f"{what} does harm, {points(found)}"
    return f"no difference that can be told, {points(found)}"


def with_gain(
    study: Study,
    failure: Failure,
    signs: tuple[Sign, ...],
    here: str,
    *,
    first: str = "",
) -> Finding:
    """Make a finding, with what the fix brings after the last epoch and the best ones.

    Args:
        study: all runs.
        failure: which.
        signs: what shows it.
        here: what happens here.
        first: what to say of the fix before its gain.
    """
    mended = study.results[failure.mended]
    at_end = {
        pool: in_words(gain(study, failure, pool)) for pool in ("targets", "documents")
    }
    at_best = in_words(gain(study, failure, "targets", at_best=True))
    copied = points(against_copy(study, mended, "targets"))
    fix = (
        f"In targets {at_end['targets']}; in documents {at_end['documents']}; in "
        f"targets, each stopped at its best epoch, {at_best}. After the fix Hit@5 in "
        f"targets is {percent(mended.epochs[-1].hit5['targets'])}, against copy-last "
        f"{copied}."
    )
    return Finding(
        failure=failure, signs=signs, here=here, fix=f"{first} {fix}".strip()
    )


def costs_hits(study: Study, failure: Failure) -> Sign:
    """Return the sign that a fix, and nothing else, lifts Hit@5 in targets."""
    found = gain(study, failure, "targets")
    return Sign(
        expected="Hit@5 is lower with it than without",
        found=f"without it {points(found)}",
        holds=found.low > 0,
    )


def not_above_copy(copied: Estimate) -> Sign:
    """Return the sign that a run is not better than copying the last vector.

    Where there are too few documents for an interval, nothing shows.
    """
    return Sign(
        expected="Hit@5 not above copy-last",
        found=points(copied),
        holds=math.isfinite(copied.low) and copied.low <= 0,
    )


def below_copy(copied: Estimate) -> Sign:
    """Return the sign that a run is worse than copying the last vector."""
    return Sign(
        expected="Hit@5 below copy-last", found=points(copied), holds=copied.high < 0
    )
