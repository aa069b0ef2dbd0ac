"""A finding, and the thresholds from which on there is one."""

from dataclasses import asdict, dataclass
from typing import Final, Literal

from nextvec.training.evaluation.statistics import MIN_DOCUMENTS
from nextvec.training.evaluation.suite import MAX_LEAKED_SHARE

Severity = Literal["problem", "warning", "notice"]

DEGRADED_DROP: Final = 0.03
"""Hit@K lost since the best epoch. The runs on the sample `docs`, stopped early, stay
within 1.1 points of their best; the original project's Memory GRU lost 14."""

WIDENED_HIT: Final = 0.05
"""Growth of the gap in Hit@K. In the runs on the sample `docs` it grows by one to two
points. Its 500 training windows are good for ±4 points, so a growth of little more than
the threshold can be chance: look at the other seeds."""

WIDENED_COSINE: Final = 0.10
"""Growth of the gap in mean cosine. In the same runs it grows by less than 0.02; in
the original project the Baseline GRU came to 0.40, the others to 0.06 and 0.04."""

HIGH_COSINE: Final = 0.5
"""Mean cosine that looks like success: in the original project 0.593 passed for nearly
its gate of 0.60."""

CHANCE_FACTOR: Final = 10
"""Times k/N below which a Hit@k is called chance. The original project's 3.2 % of N =
1,148 is 7 times chance, more than luck, and of no use: in a trial on public
documentation copying the last vector had 44 %, 60 times chance, in a pool of 672."""

SUSPICIOUS_LIFT: Final = 0.05
"""Lift in Hit@5 on documents. The best honest one known is 1.3 points; 20 points in a
trial on public documentation turned out to be duplicates of training pages."""

LONG_CONTEXT_GAIN: Final = 0.01
"""Gain in Hit@K of the longest context over the shortest, less than which does not pay
for twenty times the vectors. There is no interval for it, so not zero."""

EASY_SHARE: Final = 0.99
"""Hit@K of the best baseline that leaves a network nothing to win: a lift of a point at
most, where intervals are wider."""

RuleName = Literal[
    "leaked windows",
    "suspicious lift",
    "too few documents",
    "cosine high, Hit@K at chance",
    "no better than copying",
    "no better than its base",
    "degraded after its peak",
    "over-fitting",
    "order does not matter",
    "long context does not pay",
    "memory brings nothing",
    "still rising at its last epoch",
    "hits tell nothing apart",
]

THRESHOLDS: Final[dict[RuleName, str]] = {
    "leaked windows": f"more than {MAX_LEAKED_SHARE:.0%} of the windows of a part",
    "suspicious lift": f"lift above {100 * SUSPICIOUS_LIFT:.0f} points on documents",
    "too few documents": f"fewer than {MIN_DOCUMENTS} documents with windows",
    "cosine high, Hit@K at chance": (
        f"mean cosine of at least {HIGH_COSINE}, and Hit@K in targets (items: index) "
        f"below {CHANCE_FACTOR} times K/N (where candidates are few: halfway from K/N "
        "to 1), or its interval not above K/N"
    ),
    "no better than copying": "interval of the lift not above 0 in a pool",
    "no better than its base": "best epoch 0",
    "degraded after its peak": (
        f"last epoch's Hit@K more than {100 * DEGRADED_DROP:.0f} points below the best"
    ),
    "over-fitting": (
        f"training less validation grew by more than {100 * WIDENED_HIT:.0f} points "
        f"of Hit@K or {WIDENED_COSINE:.2f} of cosine since epoch 0"
    ),
    "order does not matter": "interval of what shuffling costs not above 0",
    "long context does not pay": (
        f"longest context less than {100 * LONG_CONTEXT_GAIN:.0f} point of Hit@K above "
        "the shortest"
    ),
    "memory brings nothing": "interval of what its reads bring not above 0",
    "still rising at its last epoch": "the best epoch is the last of --max-epochs",
    "hits tell nothing apart": (
        f"the best baseline's Hit@K at least {100 * EASY_SHARE:.0f} % in every pool"
    ),
}
"""When each rule speaks, in words; printed with every finding and in the docs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found."""

    name: RuleName
    severity: Severity
    """problem: do not trust or use it; warning: look here first; notice: know it."""

    sentence: str
    """What was found, with its numbers."""

    threshold: str
    """When the rule speaks."""

    advice: str
    """What to try."""

    def to_dict(self) -> dict[str, str]:
        """Return it as plain JSON types."""
        return asdict(self)


def found(name: RuleName, severity: Severity, sentence: str, advice: str) -> Finding:
    """Make a finding, with its rule's threshold beside it."""
    return Finding(
        name=name,
        severity=severity,
        sentence=sentence,
        threshold=THRESHOLDS[name],
        advice=advice,
    )
