"""What ranks candidates: cosine less a share of their hubness. One place decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import torch
from torch import Tensor

from training.evaluation.pools import PoolName

BETAS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the hubness that validation chooses among; 0 is plain cosine."""


def scores(
    prediction_QD: Tensor, candidate_CD: Tensor, hubness_C: Tensor, beta: float
) -> Tensor:
    """Return ``cos(p, c) - beta * h(c)`` for every prediction and candidate.

    Args:
        prediction_QD: unit rows.
        candidate_CD: unit rows.
        hubness_C: hubness of each candidate.
        beta: share of it that is taken off; 0 is plain cosine.

    Returns:
        Shape ``(Q, C)``, higher is better.
    """
    if beta == 0:
        return prediction_QD @ candidate_CD.T
    return torch.addmm(-beta * hubness_C, prediction_QD, candidate_CD.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How the candidates of each pool are scored."""

    hubness: Tensor
    """Of each row of the catalogue, shape ``(N,)``."""

    curves: Mapping[PoolName, Mapping[float, float]]
    """By pool, validation Hit@K of a closed form at every beta that was tried."""

    def beta(self, pool: PoolName) -> float:
        """Return the beta of a pool: the best on validation, of equals the smallest.

        A pool that was not tried is scored by plain cosine.
        """
        curve = self.curves.get(pool, {0.0: 0.0})
        return max(curve, key=lambda beta: (curve[beta], -beta))

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen, and among what, as plain JSON types."""
        return {
            "betas": {pool: self.beta(pool) for pool in self.curves},
            "curves": {
                pool: {f"{beta:g}": hit for beta, hit in curve.items()}
                for pool, curve in self.curves.items()
            },
        }

    @classmethod
    def plain(cls, num_rows: int) -> Self:
        """Return plain cosine for a catalogue of so many rows."""
        return cls(hubness=torch.zeros(num_rows), curves={})
