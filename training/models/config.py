"""Everything needed to rebuild a network before its weights are read."""

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.similarities import NUM_SIMILARITIES
from nextvec.training.vectors import CONTEXT_LENGTH

Architecture = Literal[
    "baseline", "memory", "hierarchical", "slots", "linear", "transformer"
]

ItemVectors = Literal["learned", "frozen"]

Reads = Literal["similarities", "vectors"]

_Dropout = Annotated[float, Field(ge=0, lt=1)]
_NumLags = Annotated[int, Field(ge=1, le=CONTEXT_LENGTH)]


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class NetworkOptions:
    """What a person chooses about a network; here alone are defaults and bounds."""

    architecture: Architecture = "memory"
    """Which network: baseline, memory or hierarchical GRU; to compare with, slots,
    linear or transformer."""

    reads: Reads = "similarities"
    """What a network reads of documents: how their vectors lie to one another, or the
    vectors; of items it reads the vectors."""

    hidden_size: PositiveInt = 256
    """Units of each recurrent layer."""

    num_layers: PositiveInt = 1
    """Recurrent layers (of each level, in the hierarchy)."""

    dropout: _Dropout = 0.1
    """Probability of dropping a feature, in [0, 1)."""

    input_dropout: _Dropout = 0.2
    """Probability of dropping an input component for a whole context, in [0, 1)."""

    num_lags: _NumLags = 32
    """Newest vectors the network can re-weight directly, 1 to 100."""

    free_scale: NonNegativeFloat = 0.1
    """Factor of the part of the change that can leave the span of the context; 0
    leaves only the re-weighting of the newest vectors."""

    num_slots: PositiveInt = 64
    """Learned slots; slots architecture only."""

    chunk_size: PositiveInt = 10
    """Vectors in a chunk; hierarchical architecture only."""

    item_vectors: ItemVectors = "learned"
    """Whether the vectors of items learn, or stay frozen as they are given; items
    only."""


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
