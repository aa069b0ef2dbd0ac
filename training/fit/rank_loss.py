"""The loss where places are weighed: how far down a target stands, made smooth."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

from nextvec.training.fit.candidates import Candidates
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Int64

_SOFTNESS: Final = 0.02
# Difference of scores that makes a candidate count as .73 or .27 of one before the
# target. A contrastive loss pays for targets out of reach: on docs-large Hit@5 fell by
# 1 to 2 points with the same network and candidates.

_SHORT_SHARE: Final = 0.25
_SHORTEST: Final = 5
# Of the batches, and vectors of their contexts, so that short ones are met as well.


@dataclass(frozen=True)
class RankLoss:
    """``r / (r + K)`` of a target with r candidates before it: about 1 - Hit@K.

    A candidate counts as the sigmoid of its lead over the target (SmoothRank, Chapelle
    and Wu 2010; ApproxNDCG, Qin et al. 2010).
    """

    prepared: Preparation
    candidates: Candidates
    vectors: Tensor
    """The catalogue on the device of training, shape ``(N, D)``."""

    @classmethod
    def of(cls, prepared: Preparation, base: ClosedForm, device: torch.device) -> Self:
        """Find the candidates of a run.

        Args:
            prepared: of the run.
            base: what the untrained network predicts.
            device: of training.
        """
        size = prepared.config.hard_negatives
        candidates = Candidates.mine(prepared, base, size)
        return cls(prepared, candidates, prepared.vectors.to(device))

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Int64, int, int]]:
        """Yield numbers of windows, each once, and how far it has come with each."""
        size = self.prepared.config.batch_size
        order = rng.permutation(len(self.candidates.windows))
        total = math.ceil(len(order) / size)
        for done in range(total):
            yield order[done * size : (done + 1) * size], done + 1, total

    def __call__(
        self, model: NextVectorModel, batch: Int64, rng: np.random.Generator
    ) -> Tensor:
        """Return the mean over the windows of a batch.

        Args:
            model: of documents.
            batch: numbers of windows.
            rng: decides how long contexts are.
        """
        windows, device = self.candidates.windows.take(batch), self.vectors.device
        if rng.random() < _SHORT_SHARE:
            windows = windows.truncated(int(rng.integers(_SHORTEST, windows.width)))
        rows = torch.from_numpy(windows.context_rows).to(device)
        length_B = torch.from_numpy(windows.lengths).to(device)
        prediction_BD = model.predict(self.vectors[rows.clamp(min=0)], length_B).vectors
        rows_BC = torch.from_numpy(self.candidates.rows[batch]).to(device)
        candidate_BCD = self.vectors[rows_BC]
        score_BC = torch.einsum("bd,bcd->bc", prediction_BD, candidate_BCD)
        score_BC = score_BC - self.candidates.hubness.to(device)[rows_BC]
        lead_BC = score_BC[:, 1:] - score_BC[:, :1]
        rank_B = torch.sigmoid(lead_BC / _SOFTNESS).sum(dim=1)
        return (rank_B / (rank_B + self.prepared.suite.k)).mean()
