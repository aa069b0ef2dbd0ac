"""Measuring a bundle that answers by a closed form over ids.

Runs in the inference thread only (`nextvec.app.inference.batcher`).
"""

from collections.abc import Generator

import numpy as np
import torch

from nextvec.app.hitk.validator import PoolRanks, Validator, steps
from nextvec.app.inference.baseline_engine import BaselineEngine, best_first
from nextvec.app.inference.engine import Engine
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Int64


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

    def measure(
        self, name: PoolName, _prediction: Prediction
    ) -> Generator[None, None, PoolRanks]:
        """Rank every target in the one pool of items, a few at a time.

        Among all by `Ranker`, and as `/predict` finds them: by the same scores.
        """
        windows, ranker = self._windows, self._rankers[name]

        def rank(part: slice) -> tuple[Int64, Int64]:
            numbers = range(part.start, part.stop)
            score_QN = self._baseline_engine.scores(windows.known(part))
            exact_Q = ranker.ranks_of_scores(torch.from_numpy(score_QN), part.start)
            out = [self._left_out(number) for number in numbers]
            depth, nothing = self._deep_enough(out), np.empty(0, np.int64)
            found = [best_first(score_N, depth, nothing) for score_N in score_QN]
            return exact_Q, self._pairs(numbers, found, out)

        parts = yield from steps(len(windows), self._step_s, rank)
        pairs = np.concatenate([pair_Q2 for _, pair_Q2 in parts])
        return PoolRanks(
            pool=self._engine.bundle.suite.pool(name),
            exact=np.concatenate([exact_Q for exact_Q, _ in parts]),
            through_index=pairs[:, 0],
            with_context=pairs[:, 1],
            baseline=self._engine.bundle.baselines.get(name),
        )


def validator_of(engine: Engine, *, step_s: float, depth: int) -> Validator:
    """Return what measures an engine; see `Validator`."""
    if isinstance(engine, BaselineEngine):
        return BaselineValidator(engine, step_s=step_s, depth=depth)
    return Validator(engine, step_s=step_s, depth=depth)
