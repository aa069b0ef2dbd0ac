"""What can run the network of a bundle, by name; `inference/predictors.py` does it."""

from collections.abc import Mapping
from typing import Final

EAGER: Final = "eager"
FUSED: Final = "fused"
INT8: Final = "int8"

ENGINES: Final[Mapping[str, str]] = {
    EAGER: "the network as it was trained, in torch",
    FUSED: "its recurrent layers by a kernel of ours, in float32",
    INT8: "the same with matrices of int8",
}
"""What can run a network, and what each of them is."""

AUTO: Final = "auto"
"""The fastest here that agrees with eager (`nextvec.app.release.engines`)."""
