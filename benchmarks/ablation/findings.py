"""What the runs say of each failure of the original project."""

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.ablation.failures import FAILURES, Failure, FailureName
from benchmarks.ablation.finding import Finding
from benchmarks.ablation.prediction_rules import (
    change_loss,
    shortcut,
    squared_error,
    unit_change,
)
from benchmarks.ablation.study import Study
from benchmarks.ablation.training_rules import (
    dropout,
    early_stopping,
    memory,
    slower,
    split_by_window,
)

Rule = Callable[[Study, Failure], Finding]
"""Makes a finding from numbers: no conclusion is written beforehand."""


def findings(study: Study) -> list[Finding]:
    """Hold the runs against every failure, in the order of `FAILURES`."""
    return [_RULES[failure.name](study, failure) for failure in FAILURES]


_RULES: Final[Mapping[FailureName, Rule]] = {
    "delta-loss": change_loss,
    "delta-shortcut": shortcut,
    "unit-delta": unit_change,
    "batch-mean-memory": memory,
    "no-early-stopping": early_stopping,
    "split-by-window": split_by_window,
    "rate-and-contrast": slower,
    "dropout": dropout,
    "mse-only": squared_error,
}
