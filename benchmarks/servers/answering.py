"""The prediction that each server gives; it runs in the environments of all.

What the service computes, by the same code from the same bundle: only what stands
before and after it differs.
"""

import os
from pathlib import Path
from typing import Any, Final

from nextvec.app.inference.engine import Query
from nextvec.app.inference.golden import open_engine
from nextvec.training.vectors import Float32

BUNDLE: Final = "BENCHMARK_BUNDLE"
"""Names the variable that tells a server the folder of its bundle."""

WORKERS: Final = "BENCHMARK_WORKERS"
"""Names the variable that tells it how many processes predict."""

K: Final = 10
"""Neighbors of every answer."""

MAX_BATCH: Final = 32
"""Most contexts at a time, as the service has it."""


class Answering:
    """Network and index of a bundle, loaded and warmed as the service does it."""

    def __init__(self) -> None:
        """Load the bundle that `BUNDLE` names."""
        self._engine = open_engine(Path(os.environ[BUNDLE]))
        self._engine.warm()
        self.dim = self._engine.bundle.index.dim

    def __call__(self, context_BTD: Float32) -> list[dict[str, Any]]:
        """Return ids and scores of the neighbors of each prediction, best first.

        Args:
            context_BTD: vectors in the caller's space, of contexts of one length.
        """
        engine = self._engine
        ids = engine.bundle.catalogue.ids
        queries = [Query(engine=engine, context=c, k=K) for c in context_BTD]
        return [
            {
                "ids": [ids[row] for row in answer.found.rows.tolist()],
                "scores": answer.found.scores.tolist(),
            }
            for answer in engine.run(queries)
        ]


def num_workers() -> int:
    """Return how many processes are to predict."""
    return int(os.environ[WORKERS])
