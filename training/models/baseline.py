"""Baseline GRU: recurrent layers over the whole context."""

from torch import Tensor, nn

from nextvec.training.models.config import ModelConfig
from nextvec.training.models.encoders import Encoder, InputDropout, gru


class BaselineEncoder(Encoder):
    """One GRU; its state at each position is the feature vector."""

    def __init__(self, config: ModelConfig) -> None:
        """Build it from its configuration."""
        super().__init__()
        self.num_features = config.hidden_size
        self.scale = config.input_scale
        self.input_dropout = InputDropout(config.input_dropout)
        self.gru = gru(config, config.input_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, context_BTD: Tensor) -> Tensor:
        """Encode a batch of contexts, shape ``(B, T, D)`` to ``(B, T, H)``."""
        # components of a unit vector are about 1 / sqrt(D): too faint for the gates
        states_BTH, _ = self.gru(self.scaled(context_BTD))
        return self.dropout(states_BTH)  # type: ignore[no-any-return]
