"""The loss of a batch of documents: every next vector against banks of negatives."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nextvec.training.fit.losses import mixed_loss
from nextvec.training.fit.negatives import OwnNegatives
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Int64


@dataclass(frozen=True)
class DocumentLoss:
    """`mixed_loss` at every position that has a next vector."""

    prepared: Preparation
    vectors: Tensor
    """The catalogue on the device of training, shape ``(N, D)``."""

    def __call__(
        self, model: NextVectorModel, rows_BT: Int64, rng: np.random.Generator
    ) -> Tensor:
        """Return the mean over all positions.

        Args:
            model: of documents.
            rows_BT: stretches, padded at the end with -1.
            rng: where negatives are drawn from.
        """
        prepared, vectors_ND = self.prepared, self.vectors
        config, device = prepared.config, vectors_ND.device
        group_N = torch.from_numpy(prepared.groups).to(device)
        rows = torch.from_numpy(rows_BT).to(device)
        inside_BT = rows[:, 1:] >= 0
        prediction_BTD = model(vectors_ND[rows[:, :-1].clamp(min=0)])
        target_P = rows[:, 1:][inside_BT]
        negative_N = torch.from_numpy(self._bank(rng)).to(device)
        own_PE = None
        if config.document_negatives:
            own = OwnNegatives.draw(
                prepared.corpus, rows_BT[:, :-1], config.document_negatives, rng
            )
            target_BT = rows[:, 1:].clamp(min=0)
            own_PE = own.cosines(prediction_BTD, vectors_ND, group_N, target_BT)
            own_PE = own_PE[inside_BT]
        return mixed_loss(
            prediction_BTD[inside_BT],
            vectors_ND[target_P],
            group_N[target_P],
            vectors_ND[negative_N],
            group_N[negative_N],
            config.loss_weights,
            own_PE,
        )

    def _bank(self, rng: np.random.Generator) -> Int64:
        """Rows of the negatives of a step: all there are, or as many by lot."""
        rows, size = self.prepared.train_rows, self.prepared.config.bank_size
        return rows if size >= len(rows) else rows[rng.integers(len(rows), size=size)]
