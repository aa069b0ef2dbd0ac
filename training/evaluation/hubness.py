"""How near a candidate is to predictions in general: what its rank has not earned.

In hundreds of dimensions some vectors are near to every query (Radovanović et al., JMLR
11, 2010, https://www.jmlr.org/papers/v11/radovanovic10a.html). A candidate's score is
its cosine less a share of its hubness; CSLS (Conneau et al. 2018,
https://arxiv.org/abs/1710.04087) ranks the candidates of one query in the same order.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.segments import cut_segments
from nextvec.training.evaluation.training_positions import TrainingPositions
from nextvec.training.models.weighted_mean import weighted_mean_at
from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import Int64

BANK_SIZE: Final = 20_000
"""Predictions in a bank: twice as many moved no figure in the first decimal."""

NUM_NEAREST: Final = 10
"""Nearest of them that make a candidate's hubness; 5 to 20 are alike."""

_RATE: Final = 0.3
# Of the weighted mean that predicts: copy-last, other rates, and a memory on top gave
# the same figures within half a point (docs, 567 windows).

_BLOCK: Final = 2048
# Candidates at a time: 160 MB of cosines with a whole bank.


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBank:
    """Predictions at training positions: the questions that candidates are held to."""

    predictions: Tensor
    """Unit vectors in the searched space, shape ``(M, D)``."""

    documents: Int64
    """Number of the document of each, shape ``(M,)``."""

    @classmethod
    def draw(
        cls,
        vectors_ND: Tensor,
        corpus: Corpus,
        train: Int64,
        *,
        size: int = BANK_SIZE,
        seed: int = 0,
    ) -> Self:
        """Predict at positions of training documents drawn by lot.

        Args:
            vectors_ND: the catalogue in the searched space.
            corpus: whose documents these are.
            train: numbers of the training documents.
            size: positions at most, M.
            seed: seed of the lot.
        """
        rng = np.random.default_rng(seed)
        positions = TrainingPositions.draw(cut_segments(corpus, train), size, rng)
        prediction_MD = torch.empty(len(positions), vectors_ND.shape[1])
        for part, context_BTD, length_B, _ in positions.blocks(vectors_ND):
            last_B1 = length_B[:, None] - 1
            mean_B1D = weighted_mean_at(context_BTD, last_B1, (_RATE,), (1.0,))
            prediction_MD[part] = normalize(mean_B1D[:, 0], dim=-1)
        first_M = positions.segments[positions.segment, 0]
        return cls(
            # as they are kept: whoever reads them back measures the same
            predictions=prediction_MD.half().float(),
            documents=corpus.document_of_row[first_M],
        )

    @classmethod
    def empty(cls, dim: int) -> Self:
        """Return a bank without predictions."""
        return cls(predictions=torch.empty(0, dim), documents=np.empty(0, np.int64))

    def to_bytes(self) -> bytes:
        """Write it, predictions in half precision."""
        tensors = {
            "predictions": self.predictions.half(),
            "documents": torch.from_numpy(self.documents),
        }
        return save(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raises what a damaged file raises."""
        tensors = load(data)
        return cls(
            predictions=tensors["predictions"].float(),
            documents=tensors["documents"].numpy(),
        )

    def hubness(
        self,
        vectors_ND: Tensor,
        document_N: Int64,
        progress: Steps = ignore_steps,
    ) -> Tensor:
        """Return the mean cosine of each candidate with the predictions nearest to it.

        Predictions in a candidate's own document are left out: those before it are near
        to it because it follows them, and candidates of training documents would look
        like hubs beside all others.

        Args:
            vectors_ND: unit rows in the searched space.
            document_N: number of the document of each, -1 for none.
            progress: told after each block of candidates.

        Returns:
            Shape ``(N,)``, in [-1, 1].
        """
        nearest = min(NUM_NEAREST, len(self.documents))
        hubness_N = torch.empty(len(vectors_ND))
        document_M = torch.from_numpy(self.documents)
        for start in range(0, len(vectors_ND), _BLOCK):
            part = slice(start, start + _BLOCK)
            cosine_CM = vectors_ND[part] @ self.predictions.T
            own_C1 = torch.from_numpy(document_N[part])[:, None]
            cosine_CM[own_C1 == document_M] = -1.0
            hubness_N[part] = cosine_CM.topk(nearest, dim=1).values.mean(dim=1)
            progress(min(part.stop, len(vectors_ND)), len(vectors_ND))
        return hubness_N
