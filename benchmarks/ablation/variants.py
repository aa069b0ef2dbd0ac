"""The runs of the study: what each of them is told."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

OutputKind = Literal["unit change", "free change", "vector"]
"""What the network says: a change of the last vector, of length 1 or of any length, or
the next vector itself."""

LossTarget = Literal["change", "vector"]
"""What the loss compares: the normalized change, or the vector made of it."""

MemoryKind = Literal["none", "batch mean", "slots"]
"""No memory, one written with means of batches, or slots that learn by gradient."""

Dealt = Literal["documents", "windows"]
"""What is dealt out to training and validation as a whole."""

LossTerms = Literal["mixed", "squared error"]
"""Squared error, cosine and contrast, or the squared error alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """Options of the whole study; the defaults are the original's, scaled down."""

    epochs: int = 20
    """Passes over the training windows; the original's 20."""

    seed: int = 0
    """Seed of the weights, the batches, the dropout and the deal of the windows."""

    hidden_size: int = 128
    """Units of each recurrent layer; the original had 512."""

    num_layers: int = 2
    """Recurrent layers; the original had 4."""

    num_slots: int = 512
    """Slots of a memory; the original had 2,048."""

    batch_size: int = 16
    """Windows in a step. The original's InfoNCE at epoch 1 is ln 16: it had 16."""

    stride: int = 50
    """Vectors between the starts of two training windows, the original's 50."""

    def __post_init__(self) -> None:
        """Refuse values no study can have."""
        if self.seed < 0:
            msg = f"seed must be at least 0, got {self.seed}"
            raise ValueError(msg)
        for name, value in asdict(self).items():
            if name != "seed" and value < 1:
                msg = f"{name} must be at least 1, got {value}"
                raise ValueError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One run; the defaults are the recipe of the original report, without a memory."""

    name: str
    """What the report calls it, and the name of its file."""

    about: str
    """What it is, in words."""

    output: OutputKind = "unit change"
    loss_on: LossTarget = "change"
    terms: LossTerms = "mixed"
    memory: MemoryKind = "none"
    dealt: Dealt = "documents"

    has_shortcut: bool = False
    """Whether the last vector reaches the output by a linear map, as in the original's
    Hierarchical GRU."""

    lr: float = 0.0005
    """Learning rate of AdamW."""

    contrast: float = 0.1
    """Weight of the contrastive term."""

    dropout: float = 0.1
    """Probability of dropping a unit."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


VARIANTS: Final = (
    Variant(
        name="seed-recipe",
        # the original's; the digests of the committed results hold these words
        about="the seed's Memory GRU as its report describes it",
        memory="batch mean",
    ),
    Variant(
        name="seed-recipe-slower",
        about="the same, with the lower rate and contrast that the report advises",
        memory="batch mean",
        lr=0.0001,
        contrast=0.05,
    ),
    Variant(
        name="seed-recipe-dropout",
        about="the same, with the dropout that the report advises",
        memory="batch mean",
        dropout=0.3,
    ),
    Variant(name="change-loss", about="loss on the normalized change"),
    Variant(
        name="vector-loss",
        about="loss on the reconstructed vector, the change still of length 1",
        loss_on="vector",
    ),
    Variant(
        name="change-loss-shortcut",
        about="loss on the normalized change, the last vector mapped to the output",
        has_shortcut=True,
    ),
    Variant(
        name="vector-loss-shortcut",
        about="loss on the vector, the last vector mapped to the output",
        loss_on="vector",
        has_shortcut=True,
    ),
    Variant(
        name="free-change",
        about="loss on the vector, a change of any length",
        output="free change",
        loss_on="vector",
    ),
    Variant(
        name="batch-mean-memory",
        about="free change, with a memory written with means of batches",
        output="free change",
        loss_on="vector",
        memory="batch mean",
    ),
    Variant(
        name="learned-slots",
        about="free change, with learned slots",
        output="free change",
        loss_on="vector",
        memory="slots",
    ),
    Variant(
        name="windows-dealt",
        about="free change, windows dealt out instead of documents",
        output="free change",
        loss_on="vector",
        dealt="windows",
    ),
    Variant(
        name="squared-error",
        about="the next vector by its squared error alone: the original trainer",
        output="vector",
        loss_on="vector",
        terms="squared error",
    ),
    Variant(
        name="mixed-loss",
        about="the next vector by squared error, cosine and contrast",
        output="vector",
        loss_on="vector",
    ),
)
"""Every run of the study; the pairs of `FAILURES` share some of them."""
