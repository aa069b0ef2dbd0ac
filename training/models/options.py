"""What a person chooses about a network."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED
from nextvec.training.context_length import CONTEXT_LENGTH

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
