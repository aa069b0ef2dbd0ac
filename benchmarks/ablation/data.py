"""What all runs of a study share: windows, judge, and what needs no training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.ablation.figures import change_cosine
from benchmarks.ablation.variants import StudyConfig, Variant
from benchmarks.ablation.windows import deal_windows, training_windows
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.baselines import WeightedMean, closed_form_baselines
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.preparation.best_baselines import BestBaselines
from nextvec.training.preparation.preparation import Preparation

K: Final = 5
"""Cut-off of the study, the original project's: Hit@5."""

WATCHED: Final[tuple[PoolName, ...]] = ("targets", "documents")
"""Pools that are measured after every epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A predictor that needs no training."""

    name: str
    hits: dict[PoolName, np.ndarray]
    """Whether each validation window is a hit, booleans of shape ``(Q,)``."""

    cosine: float | None
    """Mean cosine to the target; None where only its ranks are known."""

    change_cosine: float | None
    """Mean cosine of its change with the true one."""


class StudyData:
    """The windows, contexts and pools that every run is measured on."""

    def __init__(
        self, prepared: Preparation, best: BestBaselines, config: StudyConfig
    ) -> None:
        """Cut and deal the windows.

        Raises:
            CorpusError: the corpus is too small for the pool "targets".
        """
        self.prepared, self.best, self.config = prepared, best, config
        corpus, split = prepared.corpus, prepared.split
        self.pools: tuple[PoolName, ...] = ("targets", "documents", "index")
        for pool in self.pools:
            prepared.suite.pool(pool)
        self.windows = prepared.suite.windows
        self.documents = self.windows.documents
        self.train = training_windows(corpus, split, stride=config.stride)
        self.deal = deal_windows(corpus, split, stride=config.stride, seed=config.seed)
        self.context_QTD = self.contexts(self.windows)
        self.target_QD = self.targets(self.windows)

    def contexts(self, windows: Windows) -> Tensor:
        """Return context vectors of full windows, shape ``(Q, T, D)``."""
        return self.prepared.context(windows)[0]

    def targets(self, windows: Windows) -> Tensor:
        """Return target vectors, shape ``(Q, D)``."""
        return self.prepared.vectors[torch.from_numpy(windows.target_rows)]

    def train_windows(self, variant: Variant) -> Windows:
        """Return what a variant trains on."""
        return self.deal.train if variant.dealt == "windows" else self.train

    def hits(self, prediction_QD: Tensor, pool: PoolName) -> np.ndarray:
        """Return which validation windows are hits, booleans of shape ``(Q,)``."""
        ranks = self.prepared.judge.rankers[pool].ranks(prediction_QD)
        return np.asarray(ranks <= K)

    def best_baseline_hits(self, pool: PoolName) -> np.ndarray:
        """Return the hits of the best baseline of a pool."""
        return np.asarray(self.best.ranks[pool] <= K)

    def references(self) -> list[Reference]:
        """Measure what needs no training: the baselines, and an answer without skill.

        "Minus the last vector" as a change leaves nothing: its prediction is zero, all
        candidates tie, and ties count against it.
        """
        last_QD = self.context_QTD[:, -1]
        means = {mean.name: mean for mean in closed_form_baselines()}
        best_mean = max(
            means, key=lambda name: self.best.scores[name].get("targets", 0.0)
        )
        return [
            self._reference("copy-last", last_QD, None),
            self._mean_reference(means[best_mean]),
            Reference(
                name="best baseline of each pool",
                hits={pool: self.best_baseline_hits(pool) for pool in self.pools},
                cosine=None,
                change_cosine=None,
            ),
            self._reference("minus the last vector", 0 * last_QD, -last_QD),
        ]

    def _mean_reference(self, mean: WeightedMean) -> Reference:
        length_Q = torch.from_numpy(self.windows.lengths)
        prediction_QD = mean.predict(self.context_QTD, length_Q)
        return self._reference(f"best weighted mean: {mean.name}", prediction_QD, None)

    def _reference(
        self, name: str, prediction_QD: Tensor, change_QD: Tensor | None
    ) -> Reference:
        last_QD = self.context_QTD[:, -1]
        change_QD = prediction_QD - last_QD if change_QD is None else change_QD
        return Reference(
            name=name,
            hits={pool: self.hits(prediction_QD, pool) for pool in self.pools},
            cosine=float(
                (normalize(prediction_QD, dim=-1) * self.target_QD).sum(1).mean()
            ),
            change_cosine=change_cosine(change_QD, last_QD, self.target_QD),
        )


Progress = Callable[[int, int], None]
"""Told how many epochs of how many are done."""
