"""How documents are dealt out: what a person chooses about it."""

from typing import Annotated

from pydantic import Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED

Share = Annotated[float, Field(gt=0, lt=1)]
"""Share of the documents, which leaves some for other parts."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class SplitConfig:
    """How documents are dealt out."""

    seed: NonNegativeInt = 0
    """Seed of the shuffle."""

    validation: Share = 0.15
    """Share of the documents for validation, in (0, 1)."""

    test: Share = 0.25
    """Share of the documents for test, in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse shares that leave training empty."""
        refuse_no_training(self.validation, self.test)


def refuse_no_training(validation: float, test: float) -> None:
    """Refuse shares that leave nothing to train on.

    Raises:
        ValueError: they make 1 or more.
    """
    if validation + test >= 1:
        msg = f"shares leave no training: {validation} + {test}"
        raise ValueError(msg)
