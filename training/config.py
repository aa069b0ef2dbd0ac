"""Everything that a training run can be told, one flat list of options."""

import ast
import inspect
import math
import textwrap
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from training.corpus.corpus import Kind
from training.corpus.split import SplitConfig
from training.errors import TrainingError
from training.models.config import Architecture, ModelConfig
from training.transform import TransformConfig, TransformKind

Device = Literal["auto", "cpu", "cuda"]
SelectionPool = Literal["auto", "targets", "documents", "index"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """How much each term counts."""

    mse: float
    cosine: float
    infonce: float
    temperature: float
    gce_q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Options of a run; each is a field of a recipe and an option of `train`."""

    architecture: Architecture = "memory"
    """Which network: baseline, memory or hierarchical GRU; to compare with, linear or
    transformer."""

    hidden_size: int = 256
    """Units of each recurrent layer."""

    num_layers: int = 1
    """Recurrent layers (of each level, in the hierarchy)."""

    dropout: float = 0.1
    """Probability of dropping a feature, in [0, 1)."""

    input_dropout: float = 0.2
    """Probability of dropping an input component for a whole context, in [0, 1)."""

    num_lags: int = 32
    """Newest vectors the network can re-weight directly, 1 to 100."""

    free_scale: float = 0.1
    """Factor of the part of the change that can leave the span of the context; 0
    leaves only the re-weighting of the newest vectors."""

    num_slots: int = 64
    """Learned slots; memory architecture only."""

    chunk_size: int = 10
    """Vectors in a chunk; hierarchical architecture only."""

    transform: TransformKind = "whiten"
    """Space that is searched: identity, center or whiten."""

    whiten_strength: float = 0.5
    """How far whitening goes, in (0, 1]; 1 makes all variances equal."""

    whiten_shrinkage: float = 0.01
    """Share of the mean variance added to every variance before whitening."""

    lambda_mse: float = 0.0
    """Weight of the mean squared error per component."""

    lambda_cosine: float = 0.0
    """Weight of 1 - cosine; on unit vectors it is D / 2 times the squared error."""

    lambda_infonce: float = 1.0
    """Weight of the contrastive term."""

    temperature: float = 0.05
    """Temperature of the contrastive term: cosines are divided by it."""

    gce_q: float = 0.7
    """Exponent q of generalized cross-entropy, in [0, 1]: how far targets out of
    reach are let go; 0 is plain InfoNCE."""

    bank_size: int = 4096
    """Negatives drawn from the training documents for each step, in rows; all there
    are if that is not more."""

    document_negatives: int = 128
    """Negatives drawn for each stretch from its own document, in rows; what is in a
    context is none. 0 draws none, and items have none."""

    lr: float = 0.0003
    """Learning rate of AdamW after warm-up."""

    lr_final_share: float = 1.0
    """Share of the learning rate that is left in the last of ``max_epochs``, in
    (0, 1]; it falls along half a cosine. 1 keeps it."""

    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""

    warmup_steps: int = 50
    """Steps over which the learning rate rises from 0."""

    grad_clip: float = 1.0
    """Largest norm of the gradient; larger ones are scaled down."""

    batch_size: int = 32
    """Stretches of up to 101 vectors in a step."""

    max_epochs: int = 30
    """Most passes over the training documents."""

    patience: int = 3
    """Epochs without a better score after which a run stops."""

    min_delta: float = 0.0
    """How much better (absolute, in Hit@K) a better score has to be."""

    selection_pool: SelectionPool = "auto"
    """Pool whose validation Hit@K is watched: targets, documents or index; auto is
    documents, and index for items."""

    stride: int = 10
    """Vectors between the starts of two evaluation windows of a document."""

    validation_share: float = 0.15
    """Share of the documents for validation, in (0, 1)."""

    test_share: float = 0.25
    """Share of the documents for test, in (0, 1)."""

    split_seed: int = 0
    """Seed of the split; the same for runs that are to be compared."""

    seed: int = 0
    """Seed of the weights, the batches and the dropout."""

    device: Device = "auto"
    """Where to train: auto (a GPU if there is one), cpu or cuda."""

    def __post_init__(self) -> None:
        """Refuse values no run can have."""
        for name, value in asdict(self).items():
            # NaN would pass every comparison below
            if isinstance(value, float) and not math.isfinite(value):
                msg = f"{name} must be a finite number, got {value}"
                raise ValueError(msg)
        # these check their own fields
        self.model(dim=1)
        self.split  # noqa: B018
        self.transform_config  # noqa: B018
        self._check_loss()
        self._check_ranges()
        for name, allowed in (
            ("selection_pool", get_args(SelectionPool)),
            ("device", get_args(Device)),
        ):
            if getattr(self, name) not in allowed:
                names = ", ".join(allowed)
                msg = f"{name} must be one of {names}, got {getattr(self, name)!r}"
                raise ValueError(msg)

    def _check_loss(self) -> None:
        weights = (self.lambda_mse, self.lambda_cosine, self.lambda_infonce)
        if min(weights) < 0 or sum(weights) == 0:
            msg = f"loss weights must be at least 0 and not all 0, got {weights}"
            raise ValueError(msg)
        if not 0 <= self.gce_q <= 1:
            msg = f"gce_q must lie in [0, 1], got {self.gce_q}"
            raise ValueError(msg)

    def _check_ranges(self) -> None:
        if not 0 < self.lr_final_share <= 1:
            msg = f"lr_final_share must lie in (0, 1], got {self.lr_final_share}"
            raise ValueError(msg)
        for name in ("temperature", "lr", "grad_clip"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be above 0, got {getattr(self, name)}"
                raise ValueError(msg)
        for name in ("bank_size", "batch_size", "patience", "stride"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, got {getattr(self, name)}"
                raise ValueError(msg)
        for name in (
            "document_negatives",
            "weight_decay",
            "warmup_steps",
            "max_epochs",
            "min_delta",
            "seed",
        ):
            if getattr(self, name) < 0:
                msg = f"{name} must be at least 0, got {getattr(self, name)}"
                raise ValueError(msg)

    def model(
        self,
        *,
        dim: int,
        base_rates: tuple[float, ...] = (0.5,),
        base_weights: tuple[float, ...] = (1.0,),
    ) -> ModelConfig:
        """Return the network's part, completed by what the data say."""
        return ModelConfig(
            dim=dim,
            architecture=self.architecture,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
            input_dropout=self.input_dropout,
            num_lags=self.num_lags,
            free_scale=self.free_scale,
            num_slots=self.num_slots,
            chunk_size=self.chunk_size,
            base_rates=base_rates,
            base_weights=base_weights,
        )

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
        known = {field.name: field for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                close = ", ".join(sorted(known))
                msg = f"{source}: no option is called {name!r}; there are {close}"
                raise TrainingError(msg)
            default = known[name].default
            # an integer may stand for a float, nothing else for anything else
            wanted = (int, float) if isinstance(default, float) else type(default)
            if isinstance(value, bool) or not isinstance(value, wanted):
                found = f"{type(value).__name__} {value!r}"
                msg = f"{source}: {name} takes {type(default).__name__}, got {found}"
                raise TrainingError(msg)
        # 1 and 1.0 are one option and must name one run
        told: dict[str, Any] = {
            name: float(value) if isinstance(known[name].default, float) else value
            for name, value in values.items()
        }
        try:
            return cls(**told)
        except ValueError as error:
            msg = f"{source}: {error}"
            raise TrainingError(msg) from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


DEFAULT_RECIPES: Final[dict[Kind, str]] = {"documents": "default", "items": "items"}
"""The recipe of each kind of corpus, where none is named."""


def recipe_names() -> list[str]:
    """Return the recipes that are shipped."""
    folder = resources.files("training") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def read_recipe(name_or_path: str) -> dict[str, Any]:
    """Read the options that a recipe sets.

    Args:
        name_or_path: name of a shipped recipe, or path of a TOML file.

    Raises:
        TrainingError: neither exists, or it is not TOML.
    """
    path = Path(name_or_path)
    shipped = resources.files("training") / "recipes" / f"{name_or_path}.toml"
    try:
        source = path if path.suffix == ".toml" else shipped
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(recipe_names())
        msg = f"no recipe {name_or_path!r}: expected one of {names}, or a .toml file"
        raise TrainingError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{name_or_path}: not UTF-8: {error}"
        raise TrainingError(msg) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{name_or_path}: not TOML: {error}"
        raise TrainingError(msg) from error


@cache
def option_help() -> dict[str, str]:
    """Return what the docstring under each field of `TrainingConfig` says."""
    source = textwrap.dedent(inspect.getsource(TrainingConfig))
    body = ast.parse(source).body[0]
    if not isinstance(body, ast.ClassDef):  # pragma: no cover - it is a class
        raise TypeError
    found = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            text = inspect.cleandoc(str(following.value.value))
            found[statement.target.id] = " ".join(text.split())
    return found


def option_defaults() -> dict[str, Any]:
    """Return the default of each field of `TrainingConfig`."""
    return {
        field.name: field.default
        for field in fields(TrainingConfig)
        if field.default is not MISSING
    }
