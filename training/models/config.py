"""Everything needed to rebuild a network before its weights are read."""

import math
from dataclasses import fields
from typing import Any, Self

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.options import NetworkOptions
from nextvec.training.models.similarities import NUM_SIMILARITIES


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class ModelConfig(NetworkOptions):
    """Shape of a network: what a person chose and what data say; all in the card."""

    dim: PositiveInt
    """Length D of every input and output vector."""

    base: ClosedForm = ClosedForm()
    """What the untrained network predicts; documents only."""

    num_items: NonNegativeInt = 0
    """Items in the catalogue, N; 0 for documents, whose vectors are what they are."""

    can_copy: bool = False
    """Whether an item of the context may come again; items only."""

    @classmethod
    def of(
        cls,
        options: NetworkOptions,
        *,
        dim: int,
        base: ClosedForm | None = None,
        num_items: int = 0,
        can_copy: bool = False,
    ) -> Self:
        """Complete what a person chose by what the data say.

        Args:
            options: the choice; of more options than the network's, these are taken.
            dim: length D of a vector.
            base: what the untrained network predicts; None takes any.
            num_items: items in the catalogue; 0 for documents.
            can_copy: whether items of a context may come again.
        """
        chosen: dict[str, Any] = {
            field.name: getattr(options, field.name) for field in fields(NetworkOptions)
        }
        return cls(
            dim=dim,
            base=base or ClosedForm(),
            num_items=num_items,
            can_copy=can_copy,
            **chosen,
        )

    @property
    def weighs_places(self) -> bool:
        """Whether it weighs the vectors of a context, by their similarities."""
        return self.num_items == 0 and self.reads == "similarities"

    @property
    def input_size(self) -> int:
        """Numbers that the recurrent part reads at each step."""
        return NUM_SIMILARITIES if self.weighs_places else self.dim

    @property
    def input_scale(self) -> float:
        """What they are multiplied with.

        Components of a unit vector are about 1 / sqrt(D): too faint for the gates.
        """
        return 1.0 if self.weighs_places else math.sqrt(self.dim)
