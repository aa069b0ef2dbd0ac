"""How item vectors are made of co-occurrence: what a person chooses about it."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class CooccurrenceConfig:
    """How item vectors are made."""

    window: PositiveInt = 10
    """Entries before and after an item that count as near, at least 1."""

    dim: PositiveInt = 128
    """Length D of a vector, at least 1."""

    is_at_most: bool = False
    """Whether few items get shorter vectors, half as long as there are items."""
