"""Everything that a training run can be told, one flat list of options."""

from dataclasses import asdict, fields
from functools import cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from nextvec.training.checked import CHECKED, faults
from nextvec.training.corpus.split_config import Share, SplitConfig, refuse_no_training
from nextvec.training.errors import TrainingError
from nextvec.training.models.options import NetworkOptions
from nextvec.training.transform_config import Strength, TransformConfig, TransformKind

Device = Literal["auto", "cpu", "cuda"]
SelectionPool = Literal["auto", "targets", "documents", "index"]

_SPLIT: Final = SplitConfig()
_TRANSFORM: Final = TransformConfig()


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class LossWeights:
    """How much each term counts."""

    mse: float
    cosine: float
    infonce: float
    temperature: float
    gce_q: float


@dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class TrainingConfig(NetworkOptions):
    """Options of a run; each is a field of a recipe and an option of `train`."""

    transform: TransformKind = _TRANSFORM.kind
    """Space that is searched: identity, center or whiten."""

    whiten_strength: Strength = _TRANSFORM.strength
    """How far whitening goes, in (0, 1]; 1 makes all variances equal."""

    whiten_shrinkage: NonNegativeFloat = _TRANSFORM.shrinkage
    """Share of the mean variance added to every variance before whitening."""

    lambda_mse: NonNegativeFloat = 0.0
    """Weight of the mean squared error per component."""

    lambda_cosine: NonNegativeFloat = 0.0
    """Weight of 1 - cosine; on unit vectors it is D / 2 times the squared error."""

    lambda_infonce: NonNegativeFloat = 1.0
    """Weight of the contrastive term."""

    temperature: PositiveFloat = 0.05
    """Temperature of the contrastive term: cosines are divided by it."""

    gce_q: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Exponent q of generalized cross-entropy, in [0, 1]: how far targets out of
    reach are let go; 0 is plain InfoNCE."""

    bank_size: PositiveInt = 4096
    """Negatives drawn from the training documents or items for each step, in rows; all
    there are if that is not more: of items a full softmax."""

    document_negatives: NonNegativeInt = 128
    """Negatives drawn for each stretch from its own document, in rows; what is in a
    context is none. 0 draws none, and items have none."""

    hard_negatives: PositiveInt = 300
    """Candidates that each training window of a network that reads similarities is
    ranked among: most the best by its base, some of its own document, some by lot."""

    train_stride: PositiveInt = 5
    """Vectors between the starts of two training windows of a document, for a network
    that reads similarities."""

    start: Annotated[str, Field(min_length=1)] = "auto"
    """What a network that reads similarities starts from after epoch 0: auto (the
    shipped weights, where they fit), none, or the folder of a run."""

    train_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the training documents that the network learns from, by lot, in (0, 1]:
    what more of them would bring. Space, hubs and baselines are made of all."""

    lr: PositiveFloat = 0.0003
    """Learning rate of AdamW after warm-up."""

    lr_final_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the learning rate that is left in the last of ``max_epochs``, in
    (0, 1]; it falls along half a cosine. 1 keeps it."""

    weight_decay: NonNegativeFloat = 0.01
    """Decoupled weight decay of AdamW."""

    warmup_steps: NonNegativeInt = 50
    """Steps over which the learning rate rises from 0."""

    grad_clip: PositiveFloat = 1.0
    """Largest norm of the gradient; larger ones are scaled down."""

    batch_size: PositiveInt = 32
    """Stretches of up to 101 vectors in a step."""

    max_epochs: NonNegativeInt = 30
    """Most passes over the training documents."""

    patience: PositiveInt = 3
    """Epochs without a better score after which a run stops."""

    min_delta: NonNegativeFloat = 0.0
    """How much better (absolute, in Hit@K) a better score has to be."""

    selection_pool: SelectionPool = "auto"
    """Pool whose validation Hit@K is watched: targets, documents or index; auto is
    documents, and index for items."""

    stride: PositiveInt = 10
    """Vectors between the starts of two evaluation windows of a document."""

    validation_share: Share = _SPLIT.validation
    """Share of the documents for validation, in (0, 1)."""

    test_share: Share = _SPLIT.test
    """Share of the documents for test, in (0, 1)."""

    split_seed: NonNegativeInt = _SPLIT.seed
    """Seed of the split; the same for runs that are to be compared."""

    seed: NonNegativeInt = 0
    """Seed of the weights, the batches and the dropout."""

    device: Device = "auto"
    """Where to train: auto (a GPU if there is one), cpu or cuda."""

    def __post_init__(self) -> None:
        """Refuse options that each can be, and together cannot."""
        refuse_no_training(self.validation_share, self.test_share)
        if self.lambda_mse + self.lambda_cosine + self.lambda_infonce == 0:
            msg = "loss weights must not all be 0"
            raise ValueError(msg)

    @property
    def split(self) -> SplitConfig:
        """How documents are dealt out."""
        return SplitConfig(
            seed=self.split_seed, validation=self.validation_share, test=self.test_share
        )

    @property
    def transform_config(self) -> TransformConfig:
        """Which space is searched."""
        return TransformConfig(
            kind=self.transform,
            strength=self.whiten_strength,
            shrinkage=self.whiten_shrinkage,
        )

    @property
    def loss_weights(self) -> LossWeights:
        """What the loss is made of."""
        return LossWeights(
            mse=self.lambda_mse,
            cosine=self.lambda_cosine,
            infonce=self.lambda_infonce,
            temperature=self.temperature,
            gce_q=self.gce_q,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, source: str) -> Self:
        """Build it from plain values, such as a recipe's.

        Raises:
            TrainingError: an unknown name, a wrong type or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                close = ", ".join(known)
                msg = f"{source}: no option is called {name!r}; there are {close}"
                raise TrainingError(msg)
        try:
            return cls(**values)
        except ValidationError as error:
            msg = f"{source}: {faults(error)}"
            raise TrainingError(msg) from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


@cache
def option_help() -> dict[str, str]:
    """Return what the docstring under each field of `TrainingConfig` says."""
    return {
        name: " ".join(field["description"].split())
        # a schema tells the docstrings of a class's own body only
        for kind in (NetworkOptions, TrainingConfig)
        for name, field in TypeAdapter(kind).json_schema()["properties"].items()
        if "description" in field
    }


def option_defaults() -> dict[str, Any]:
    """Return the default of each field of `TrainingConfig`."""
    return TrainingConfig().to_dict()
