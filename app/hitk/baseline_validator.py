"""Measuring a bundle that answers by a closed form over ids.

Runs in the inference thread only (`nextvec.app.inference.batcher`).
"""

from collections.abc import Generator

import numpy as np
import torch

from nextvec.app.bundle.index import Found
from nextvec.app.bundle.searcher import Selection
from nextvec.app.hitk.validator import Validator
from nextvec.app.inference.baseline_engine import BaselineEngine, best_first
from nextvec.app.inference.engine import Engine
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Float32, Int64


class BaselineValidator(Validator):
    """Ranks the validation targets of a bundle by the scores of its baseline.

    Scores of the whole catalogue are made for a few windows at a time and let go:
    those of all would be windows times items.
    """

    def __init__(self, engine: BaselineEngine, *, step_s: float, depth: int) -> None:
        """Prepare the candidates of every pool, as `Validator` does."""
        super().__init__(engine, step_s=step_s, depth=depth)
        self._baseline_engine = engine

    def predictions(self) -> Generator[None, None, Prediction]:
        """Predict no vectors: one of length 0 stands for each window."""
        yield
        return Prediction(torch.empty(len(self._windows), 0))

    def mean_cosine(self, _prediction: Prediction) -> Generator[None, None, float]:
        """Return NaN: there is no vector to compare."""
        yield
        return np.nan

    def _ranks(self, ranker: Ranker, _prediction: Prediction, part: slice) -> Int64:
        return ranker.ranks_of_scores(torch.from_numpy(self._scores(part)), part.start)

    def _search(
        self,
        pool: Pool,
        _shared: Selection | None,
        _prediction: Prediction,
        part: slice,
        out: list[tuple[Int64, Int64]],
    ) -> list[Found]:
        """Take the best of all candidates, as deep as in an index."""
        depth = self._depth + 1 + max(len(same) + len(seen) for same, seen in out)
        size = len(self._engine.bundle.index)
        others = np.setdiff1d(np.arange(size), pool.rows)
        return [best_first(s, depth, others) for s in self._scores(part)]

    def _scores(self, part: slice) -> Float32:
        windows = self._windows
        contexts = [
            rows_T[:length]
            for rows_T, length in zip(
                windows.context_rows[part], windows.lengths[part], strict=True
            )
        ]
        return self._baseline_engine.scores(contexts)


def validator_of(engine: Engine, *, step_s: float, depth: int) -> Validator:
    """Return what measures an engine; see `Validator`."""
    if isinstance(engine, BaselineEngine):
        return BaselineValidator(engine, step_s=step_s, depth=depth)
    return Validator(engine, step_s=step_s, depth=depth)
