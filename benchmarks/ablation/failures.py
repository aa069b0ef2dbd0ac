"""What the original project saw, and which two runs show it and mend it."""

from dataclasses import dataclass
from typing import Final, Literal

FailureName = Literal[
    "delta-loss",
    "delta-shortcut",
    "unit-delta",
    "batch-mean-memory",
    "no-early-stopping",
    "split-by-window",
    "rate-and-contrast",
    "dropout",
    "mse-only",
]

REPORT: Final = "report"
HISTORY: Final = "its training history"
REPLAY: Final = "its code, replayed"
# Where a figure of the original project is from: the report of 2025-10-19, the
# histories and the code in the public repository TrentCarter/lnsp-phase-4.


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure of the original project, and the two runs that differ in it."""

    name: FailureName
    title: str
    seen: str
    """What the original project saw, quoted, with the source in brackets."""

    broken: str
    """Name of the variant that has it."""

    mended: str
    """Name of the variant without it; the same one where only the epoch differs."""

    differs: tuple[str, ...]
    """The fields of `Variant` in which these two differ."""


FAILURES: Final = (
    Failure(
        name="delta-loss",
        title="Loss on the normalized change",
        seen=(
            f"Memory GRU: Hit@5 51.17 % at epoch 1, 36.99 % at epoch 20 ({REPORT}), "
            "while the cosine of the change rose from .0002 to .1020 and the InfoNCE "
            f"of epoch 1 was ln 16, that of a constant output ({HISTORY})."
        ),
        broken="change-loss",
        mended="vector-loss",
        differs=("loss_on",),
    ),
    Failure(
        name="delta-shortcut",
        title="The same loss, with a path from the last vector to the output",
        seen=(
            "Hierarchical GRU: validation cosine 0.593, Hit@5 3.22 % "
            f"({REPORT}). That is the cosine of the change: the answer “minus the last "
            f"vector” has .553 there ({REPLAY})."
        ),
        broken="change-loss-shortcut",
        mended="vector-loss-shortcut",
        differs=("loss_on",),
    ),
    Failure(
        name="unit-delta",
        title="A change forced to length 1",
        seen=(
            "The network's output has length 1 and is added to the last vector: the "
            "prediction is always the bisector of the two, how large the change is "
            f"gets lost ({REPLAY}). No figure of its own."
        ),
        broken="vector-loss",
        mended="free-change",
        differs=("output",),
    ),
    Failure(
        name="batch-mean-memory",
        title="A memory written with means of batches",
        seen=(
            "2,048 slots, a buffer without gradient. After 100 writes the cosine "
            "between slots is 1.000, attention uniform to 1e-3, the read the same for "
            f"any query to 2.5e-7 ({REPLAY})."
        ),
        broken="batch-mean-memory",
        mended="learned-slots",
        differs=("memory",),
    ),
    Failure(
        name="no-early-stopping",
        title="No early stopping",
        seen=(
            "Memory GRU: 51.17 % at epoch 1, 36.99 % at epoch 20, “Lost 14% Hit@5 "
            "from unnecessary training”. Baseline GRU: train cosine 0.9030, "
            f"validation cosine 0.4983 ({REPORT})."
        ),
        broken="seed-recipe",
        mended="seed-recipe",
        differs=(),
    ),
    Failure(
        name="split-by-window",
        title="Windows dealt out instead of documents",
        seen=(
            f"“Chain-level split - Zero leakage verified” ({REPORT}). 96 % of the "
            f"validation targets were inputs of training windows ({REPLAY})."
        ),
        broken="windows-dealt",
        mended="free-change",
        differs=("dealt",),
    ),
    Failure(
        name="rate-and-contrast",
        title="Rate .0005 and contrast .1",
        seen=(
            "“Training is unstable/diverging”, “Learning rate too high? (0.0005)”; "
            f"advised: rate 0.0001, contrast 0.05 instead of 0.1 ({REPORT})."
        ),
        broken="seed-recipe",
        mended="seed-recipe-slower",
        differs=("lr", "contrast"),
    ),
    Failure(
        name="dropout",
        title="Dropout .1",
        seen=f"“All models overfit severely”; advised: dropout 0.3 ({REPORT}).",
        broken="seed-recipe",
        mended="seed-recipe-dropout",
        differs=("dropout",),
    ),
    Failure(
        name="mse-only",
        title="Squared error alone, the original trainer",
        seen=(
            "Validation cosine 0.4268 (Baseline), 0.4605 (Hierarchical), 0.4898 "
            f"(Memory); “Old trainer didn't track Hit@K” ({REPORT})."
        ),
        broken="squared-error",
        mended="mixed-loss",
        differs=("terms",),
    ),
)
"""In the order of the report."""
