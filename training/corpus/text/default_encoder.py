"""Which encoder is taken where none is named."""

from typing import Final

DEFAULT_ENCODER: Final = "wordllama"
"""It comes with its weights: no download."""
