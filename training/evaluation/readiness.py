"""Go or no-go: the original project's thresholds, and what they forgot to ask."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from nextvec.training.corpus.corpus import Kind
from nextvec.training.evaluation.evaluation import Evaluation
from nextvec.training.evaluation.pools import POOLS, TARGETS_POOL_SIZE
from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.evaluation.suite import PRIMARY_POOL

THRESHOLDS: Final = {1: 0.30, 5: 0.55, 10: 0.70}
"""Hit@K asked for in the pool "targets" (evaluation protocol, readiness)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition and what was found."""

    name: str
    is_met: bool
    expected: str
    found: str

    gates: bool = True
    """Whether GO needs it; what gates nothing is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """All conditions; GO if every one that gates is met."""

    checks: tuple[Check, ...]

    @property
    def is_go(self) -> bool:
        """Whether every condition that gates is met."""
        return all(check.is_met for check in self.checks if check.gates)

    @property
    def verdict(self) -> str:
        """GO or NO-GO."""
        return "GO" if self.is_go else "NO-GO"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"verdict": self.verdict, "checks": [asdict(c) for c in self.checks]}


def assess(
    evaluation: Evaluation,
    *,
    kind: Kind = "documents",
    shuffled_loss: Estimate,
    recorded_score: float,
    restored_score: float,
    num_test_leaked: int = 0,
    is_test_clean: bool = True,
) -> Readiness:
    """Hold an evaluation against the conditions.

    Args:
        evaluation: of the restored best weights, on validation.
        kind: of the corpus; for items there are no thresholds, for want of the pool
            "targets", and one pool.
        shuffled_loss: Hit@K in the primary pool less that with the context shuffled.
        recorded_score: the score that early stopping recorded for these weights.
        restored_score: the same score, computed again after they were restored.
        num_test_leaked: windows left out of the test part.
        is_test_clean: whether few enough were.
    """
    checks = [
        Check(
            name="no leaked window",
            is_met=evaluation.is_clean and is_test_clean,
            expected="at most 5 % of the windows left out",
            found=f"{evaluation.num_leaked} left out, {num_test_leaked} of test",
        )
    ]
    is_items = kind == "items"
    if not is_items:
        checks += _thresholds(evaluation)
    for name in (PRIMARY_POOL["items"],) if is_items else POOLS:
        result = evaluation.pool(name)
        lift = None if result is None else result.lift
        checks.append(
            Check(
                name=f"lift in {name}",
                is_met=lift is not None and lift.low > 0,
                expected="interval above 0",
                found="not measured" if lift is None else points(lift),
                # which topic it is has another best mean than which passage comes next,
                # and one model serves one of them
                gates=name != "targets",
            )
        )
    checks.append(
        Check(
            name="order matters",
            is_met=shuffled_loss.low > 0,
            expected="a shuffled context is worse, interval above 0",
            found=points(shuffled_loss),
        )
    )
    checks.append(
        Check(
            name="restored weights",
            is_met=recorded_score == restored_score,
            expected=f"Hit@{evaluation.k} of exactly {recorded_score!r}",
            found=repr(restored_score),
        )
    )
    return Readiness(checks=tuple(checks))


def _thresholds(evaluation: Evaluation) -> list[Check]:
    """Hold the pool "targets" against the original thresholds."""
    checks = []
    targets = evaluation.pool("targets")
    for k, threshold in THRESHOLDS.items():
        value = None if targets is None else targets.hit_at[k].value
        checks.append(
            Check(
                name=f"Hit@{k} in targets",
                is_met=value is not None and value >= threshold,
                expected=f"at least {threshold:.0%} of N = {TARGETS_POOL_SIZE:,}",
                found="corpus too small for it" if value is None else f"{value:.1%}",
            )
        )
    return checks
