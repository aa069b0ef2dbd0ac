"""Who wants to hear how a run gets on; the command line is one."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What was measured after a pass over the training documents.

    Epoch 0 is the untrained state, which is the closed-form base; with weights to
    start from epoch 1 is these, before any step.
    """

    number: int
    score: float
    """Validation Hit@K of the headline in the selection pool, a fraction."""

    step_loss: float | None
    """Mean loss of the steps, with dropout and negatives of the own document, at every
    position; None for epoch 0, and for an epoch 1 that is a start as it comes."""

    train_loss: float
    validation_loss: float
    """Loss of windows of full context, without dropout, against a bank that stays the
    same: the two can be compared with each other, not with the steps'."""

    train_cosine: float
    validation_cosine: float
    """Mean cosine between prediction and target, on windows of full context."""

    train_score: float
    """Hit@K on windows of training documents, as many as there are validation
    documents, against the passages of these."""

    seconds: float
    """Time the epoch took, its measurements included."""

    is_best: bool
    """Whether its score was the best so far."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


class Listener(Protocol):
    """Hears of stages, of steps within them, and of epochs."""

    def stage(self, what: str) -> None:
        """Hear that a stage begins."""

    def progress(self, done: int, total: int) -> None:
        """Hear how far the present stage has come."""

    def epoch(self, epoch: Epoch) -> None:
        """Hear what an epoch brought."""


class NullListener:
    """A listener that does nothing."""

    def stage(self, what: str) -> None:
        """Ignore it."""

    def progress(self, done: int, total: int) -> None:
        """Ignore it."""

    def epoch(self, epoch: Epoch) -> None:
        """Ignore it."""
