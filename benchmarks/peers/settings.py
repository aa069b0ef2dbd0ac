"""What is tried of each model; chosen by Hit@10 on the validation windows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any, Literal

from benchmarks.peers.environment import LIBRARIES
from nextvec.training.errors import ProjectError

Examples = Literal["blocks", "positions"]

MODELS = tuple(LIBRARIES)

WIDTHS = (64, 128)
"""Of the item vectors and of the states."""

_HSTU_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One training run of another library's model."""

    model: str
    """Which: GRU4Rec and SASRec are RecBole's, HSTU is RecTools'."""

    network: dict[str, float]
    """The library's options of that class, where they are not its defaults."""

    examples: Examples = "blocks"
    """What an example is: a whole block with all its targets, or one target after its
    context (RecBole's data augmentation)."""

    batch_size: int = 16
    """Examples in a batch."""

    learning_rate: float = 1e-3
    """Of Adam."""

    max_epochs: int = 200
    """Epochs at most."""

    patience: int = 10
    """Epochs without a better validation Hit@10 until the end."""

    context_length: int = 100
    """Most items of a context."""

    seed: int = 0
    """Of the weights, the shuffles and the dropout."""

    always: dict[str, str] = field(default_factory=lambda: {"loss_type": "CE"})
    """RecBole's options in every run: cross-entropy over all items."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


def grid(
    model: str, examples: Examples, seed: int, widths: Sequence[int] = WIDTHS
) -> list[Settings]:
    """Return what is tried of a model: each width with two rates of dropout."""
    if model == "HSTU" and examples == "positions":
        msg = "HSTU is trained on blocks: expected examples blocks, got positions"
        raise ProjectError(msg)
    # an epoch of positions takes ten to thirty times as long and holds more steps
    batch_size, patience = (16, 10) if examples == "blocks" else (256, 3)
    return [
        Settings(
            model=model,
            network=_network(model, hidden_size, dropout),
            examples=examples,
            batch_size=batch_size if model != "HSTU" else _HSTU_BATCH,
            patience=patience,
            seed=seed,
        )
        for hidden_size, dropout in product(widths, (0.2, 0.5))
    ]


def _network(model: str, hidden_size: int, dropout: float) -> dict[str, float]:
    if model == "HSTU":
        # cosines over the authors' temperature
        return {"n_factors": hidden_size, "dropout_rate": dropout, "logits_t": 0.05}
    if model == "GRU4Rec":
        return {
            "embedding_size": hidden_size,
            "hidden_size": hidden_size,
            "dropout_prob": dropout,
        }
    return {
        "hidden_size": hidden_size,
        # four times as wide inside, as in RecBole's default
        "inner_size": 4 * hidden_size,
        "hidden_dropout_prob": dropout,
        "attn_dropout_prob": dropout,
    }
