"""What ranks candidates: cosine less a share of their hubness. One place decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import torch
from torch import Tensor

from nextvec.training.evaluation.pools import PoolName
from nextvec.training.models.prediction import NEVER

BETAS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the hubness that validation chooses among; 0 is plain cosine."""


def scores(
    prediction_QD: Tensor, candidate_CD: Tensor, hubness_C: Tensor, beta: float
) -> Tensor:
    """Return ``p . c - beta * h(c)`` for every prediction and candidate.

    Of documents the predictions have unit length, and the product is the cosine; of
    items it is a log-probability, up to a constant of the query.

    Args:
        prediction_QD: rows of any length.
        candidate_CD: unit rows.
        hubness_C: hubness of each candidate; of an item its bias, negative.
        beta: share of it that is taken off; 0 is plain cosine.

    Returns:
        Shape ``(Q, C)``, higher is better.
    """
    if beta == 0:
        return prediction_QD @ candidate_CD.T
    return torch.addmm(-beta * hubness_C, prediction_QD, candidate_CD.T)


def add_copies(score_QC: Tensor, column_QT: Tensor, copies_QT: Tensor) -> None:
    """Let the items of contexts score more: ``log(exp(score) + sum exp(copies))``.

    Args:
        score_QC: log-probabilities up to a constant; changed in place.
        column_QT: candidate at each place of the context, -1 for none; one that is
            there twice has the sum.
        copies_QT: log weight of each place.
    """
    copies_QT = copies_QT.masked_fill(column_QT < 0, -torch.inf)
    most_Q1 = copies_QT.max(dim=1, keepdim=True).values.clamp(min=NEVER)
    weight_QT = torch.exp(copies_QT - most_Q1)
    column_QT = column_QT.clamp(min=0)
    total_QC = torch.zeros_like(score_QC).scatter_add_(1, column_QT, weight_QT)
    # where nothing is copied this adds the log of 0
    torch.logaddexp(score_QC, total_QC.log_().add_(most_Q1), out=score_QC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How the candidates of each pool are scored."""

    hubness: Tensor
    """Of each row of the catalogue, shape ``(N,)``."""

    curves: Mapping[PoolName, Mapping[float, float]]
    """By pool, validation Hit@K of a closed form at every beta that was tried."""

    fixed: Mapping[PoolName, float] = field(default_factory=dict)
    """By pool, the beta where there was nothing to choose."""

    def beta(self, pool: PoolName) -> float:
        """Return the beta of a pool: the best on validation, of equals the smallest.

        A pool that was not tried, and has none fixed, is scored by plain cosine.
        """
        if pool in self.fixed:
            return self.fixed[pool]
        curve = self.curves.get(pool, {0.0: 0.0})
        return max(curve, key=lambda beta: (curve[beta], -beta))

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen, and among what, as plain JSON types."""
        return {
            "betas": {pool: self.beta(pool) for pool in (*self.curves, *self.fixed)},
            "curves": {
                pool: {f"{beta:g}": hit for beta, hit in curve.items()}
                for pool, curve in self.curves.items()
            },
        }

    @classmethod
    def of_biases(cls, bias_N: Tensor, pool: PoolName) -> Self:
        """Return the product plus a bias, for items."""
        return cls(hubness=-bias_N, curves={}, fixed={pool: 1.0})

    @classmethod
    def plain(cls, num_rows: int) -> Self:
        """Return plain cosine for a catalogue of so many rows."""
        return cls(hubness=torch.zeros(num_rows), curves={})
