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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a training is going to do."""

    k: int
    """Cut-off of the headline, in ranks."""

    pool: str
    """Pool whose validation Hit@K decides."""

    max_epochs: int
    """Most epochs."""

    patience: int
    """Epochs without a better Hit@K after which it ends."""

    epochs_done: int | None
    """Last epoch that an earlier call finished, 0 the untrained state; None if this
    call is the first."""


class Listener(Protocol):
    """Hears of stages, of phases and steps within them, and of epochs."""

    def stage(self, what: str) -> None:
        """Hear that a stage begins."""

    def phase(self, what: str) -> None:
        """Hear what the present stage does next."""

    def progress(self, done: int, total: int) -> None:
        """Hear how far the present phase, or stage, has come."""

    def plan(self, plan: Plan) -> None:
        """Hear what the training is going to do, before its first epoch."""

    def epoch(self, epoch: Epoch) -> None:
        """Hear what an epoch brought."""


class NullListener:
    """A listener that does nothing."""

    def stage(self, what: str) -> None:
        """Ignore it."""

    def phase(self, what: str) -> None:
        """Ignore it."""

    def progress(self, done: int, total: int) -> None:
        """Ignore it."""

    def plan(self, plan: Plan) -> None:
        """Ignore it."""

    def epoch(self, epoch: Epoch) -> None:
        """Ignore it."""
