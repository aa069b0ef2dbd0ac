"""Which space is searched: what a person chooses about it."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED

TransformKind = Literal["identity", "center", "whiten"]

Strength = Annotated[float, Field(gt=0, le=1)]
"""How far whitening goes; without any there is nothing to invert."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class TransformConfig:
    """Which space to search in."""

    kind: TransformKind = "whiten"
    """identity: as given; center: less the mean; whiten: decorrelated as well."""

    strength: Strength = 0.5
    """How far whitening goes, in (0, 1]: 1 makes all variances equal, 0.5 only their
    square roots. Ignored by the other kinds."""

    shrinkage: NonNegativeFloat = 0.01
    """Share of the mean variance added to each variance, so that directions without
    any stay small; at least 0."""
