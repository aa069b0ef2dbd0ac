"""Everything needed to rebuild a network before its weights are read."""

from dataclasses import dataclass
from typing import Literal, get_args

from training.vectors import CONTEXT_LENGTH

Architecture = Literal["baseline", "memory", "hierarchical", "linear", "transformer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of a network; every field is stored in the card."""

    dim: int
    """Length D of every input and output vector."""

    architecture: Architecture = "memory"
    """baseline: a GRU; memory: a GRU that reads learned slots; hierarchical: a GRU
    within chunks and one over chunks; to compare with: linear and transformer."""

    hidden_size: int = 256
    """Units of each recurrent layer."""

    num_layers: int = 1
    """Recurrent layers of the baseline, of the memory's first stage, and of each
    level of the hierarchy."""

    dropout: float = 0.1
    """Probability of dropping a unit of the features; 0 disables it."""

    input_dropout: float = 0.2
    """Probability of dropping a component of the recurrent input, the same
    components at every step of a context; 0 disables it."""

    num_lags: int = 32
    """Newest vectors the network can re-weight directly, 1 to 100."""

    free_scale: float = 0.1
    """Factor of the part of the change that can leave the span of the context; 0
    leaves only the re-weighting of the newest vectors."""

    num_slots: int = 64
    """Learned slots of the memory; used by the memory architecture only."""

    chunk_size: int = 10
    """Vectors in a chunk, counted from the start of the context; used by the
    hierarchical architecture only."""

    base_rates: tuple[float, ...] = (0.5,)
    """Rates of the exponentially weighted means that make the base, each in (0, 1];
    a rate of 1 is the last vector."""

    base_weights: tuple[float, ...] = (1.0,)
    """Weight of each of these means; they sum to 1."""

    def __post_init__(self) -> None:
        """Refuse values no network can have."""
        if self.architecture not in get_args(Architecture):
            names = ", ".join(get_args(Architecture))
            msg = f"architecture must be one of {names}, got {self.architecture!r}"
            raise ValueError(msg)
        for name in ("dim", "hidden_size", "num_layers", "num_slots", "chunk_size"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, got {getattr(self, name)}"
                raise ValueError(msg)
        for name in ("dropout", "input_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                msg = f"{name} must lie in [0, 1), got {getattr(self, name)}"
                raise ValueError(msg)
        if not 1 <= self.num_lags <= CONTEXT_LENGTH:
            msg = f"num_lags must lie in 1..{CONTEXT_LENGTH}, got {self.num_lags}"
            raise ValueError(msg)
        if self.free_scale < 0:
            msg = f"free_scale must be at least 0, got {self.free_scale}"
            raise ValueError(msg)
        self._check_base()

    def _check_base(self) -> None:
        if len(self.base_rates) != len(self.base_weights) or not self.base_rates:
            msg = f"{len(self.base_rates)} rates but {len(self.base_weights)} weights"
            raise ValueError(msg)
        if not all(0 < rate <= 1 for rate in self.base_rates):
            msg = f"base_rates must lie in (0, 1], got {self.base_rates}"
            raise ValueError(msg)
        if abs(sum(self.base_weights) - 1) > 1e-6:
            msg = f"base_weights must sum to 1, got {self.base_weights}"
            raise ValueError(msg)
