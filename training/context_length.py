"""How long a context can be: for options and settings, which need no arrays."""

from typing import Final

CONTEXT_LENGTH: Final = 100
"""The longest context a model takes, in vectors; shorter ones are answered too."""
