"""The prediction behind BentoML, with adaptive batching; runs in its environment.

As https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html has it, and
with workers as `Parallelize requests handling` there has them for CPUs.
"""

from pathlib import Path
from typing import Any

import bentoml
import numpy as np

from benchmarks.servers.answering import MAX_BATCH, Answering, num_workers


@bentoml.service(workers=num_workers())
class NextVector:
    """Contexts of one length in, neighbors out."""

    def __init__(self) -> None:
        """Load the bundle."""
        self._answering = Answering()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH)
    def predict(self, contexts: np.ndarray) -> list[dict[str, Any]]:
        """Answer contexts sent as arrays in JSON, shape ``(B, T, D)``."""
        return self._answering(np.asarray(contexts, np.float32))

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH)
    def files(self, contexts: list[Path]) -> list[dict[str, Any]]:
        """Answer contexts sent as files of little-endian float32."""
        shape = (-1, self._answering.dim)
        read = [np.fromfile(path, "<f4").reshape(shape) for path in contexts]
        return self._answering(np.stack(read))
