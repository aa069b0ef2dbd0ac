"""Hit@K of a model and of its baselines, pool by pool, with lift and interval."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.metrics import hit_at_k, mrr_at_k
from nextvec.training.evaluation.pools import Pool, PoolName
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.score import Score
from nextvec.training.evaluation.statistics import Estimate, estimate
from nextvec.training.evaluation.suite import Suite
from nextvec.training.models.prediction import Prediction, as_prediction
from nextvec.training.vectors import Int64

KS: Final = (1, 5, 10)
"""Cut-offs that are always reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResult:
    """What one predictor reaches in one pool."""

    pool: PoolName
    num_candidates: int
    """N, before the vectors of the context are taken out."""

    num_windows: int
    """Q."""

    hit_at: dict[int, Estimate]
    """Share of hits by cut-off, fractions in [0, 1]."""

    mrr_at_10: float
    """Mean reciprocal rank, 0 beyond rank 10."""

    hit_context_included: float | None = None
    """Hit@K of the headline with the vectors of the context as candidates; not made
    for "targets", nor where they are candidates already."""

    beta: float = 0.0
    """Share of a candidate's hubness that its score is less than its cosine."""

    hit_plain: float | None = None
    """Hit@K of the headline with plain cosine."""

    bits: Estimate | None = None
    """Mean of -log2 of the probability that each target had, over windows whose target
    is a candidate; None for what gives no probabilities."""

    baseline: str | None = None
    """The best baseline of this pool, chosen on validation."""

    baseline_hit_at: dict[int, float] | None = None
    """Its share of hits by cut-off."""

    lift: Estimate | None = None
    """Hit@K of the headline less that of the baseline, as a fraction; paired over
    documents."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        plain = asdict(self)
        for key in ("hit_at", "baseline_hit_at"):
            if plain[key] is not None:
                plain[key] = {str(k): v for k, v in plain[key].items()}
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All pools of one predictor on one part of the corpus."""

    part: str
    k: int
    """Cut-off of the headline: of the lift, and of what was chosen."""

    num_leaked: int
    """Windows left out: the target's like is in a training document."""

    num_unseen: int
    """Windows whose target no training sequence has: misses; items only."""

    excludes_context: bool
    """Whether the vectors of the context are no candidates."""

    is_clean: bool
    mean_cosine: float
    """Mean cosine between prediction and target, in the searched space, where the
    target has a vector."""

    pools: tuple[PoolResult, ...]

    def pool(self, name: PoolName) -> PoolResult | None:
        """Return the result of that pool, None if the corpus was too small for it."""
        return next((result for result in self.pools if result.pool == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self) | {"pools": [pool.to_dict() for pool in self.pools]}


class Judge:
    """Ranks any number of predictors on the windows and pools of one suite."""

    def __init__(
        self,
        vectors_ND: Tensor,
        group_N: Int64,
        suite: Suite,
        score: Score | None = None,
    ) -> None:
        """Prepare the candidates of every pool.

        Args:
            vectors_ND: the whole catalogue in the searched space.
            group_N: duplicate group of each row.
            suite: windows and pools.
            score: how candidates are scored; None is plain cosine.
        """
        self.suite, self.score = suite, score
        self._vectors_ND = vectors_ND
        self.rankers = {
            pool.name: Ranker(
                vectors_ND,
                group_N,
                suite.windows,
                pool,
                exclude_context=suite.excludes_context,
                score=score,
            )
            for pool in suite.pools
        }

    def searching(self, vectors_ND: Tensor, score: Score) -> Self:
        """Return it for the same windows with other vectors and scores of candidates.

        Args:
            vectors_ND: the whole catalogue in the searched space.
            score: how candidates are scored.
        """
        other = copy(self)
        other.score, other._vectors_ND = score, vectors_ND  # noqa: SLF001 - its own
        other.rankers = {
            name: ranker.searching(vectors_ND, score)
            for name, ranker in self.rankers.items()
        }
        return other

    def ranks(self, predicted: Tensor | Prediction) -> dict[PoolName, Int64]:
        """Rank the targets in every pool."""
        return {name: r.ranks(predicted) for name, r in self.rankers.items()}

    def evaluate(
        self,
        predicted: Tensor | Prediction,
        baselines: Mapping[PoolName, tuple[str, Int64]] | None = None,
    ) -> Evaluation:
        """Judge a predictor.

        Args:
            predicted: one prediction for each window, in the searched space.
            baselines: for each pool, name of its best baseline and the rank it gives
                each target.
        """
        windows, prediction = self.suite.windows, as_prediction(predicted)
        results = []
        for pool in self.suite.pools:
            ranker = self.rankers[pool.name]
            name, baseline_rank_Q = (baselines or {}).get(pool.name, (None, None))
            rank_Q, included_Q = ranker.ranks_and_included(prediction)
            plain_Q = rank_Q
            if ranker.beta > 0:
                (plain_Q,) = ranker.ranks_at(prediction, [0.0])
            results.append(
                pool_result(
                    pool,
                    rank_Q,
                    windows.documents,
                    k=self.suite.k,
                    baseline=name,
                    baseline_rank_Q=baseline_rank_Q,
                    with_context=self._with_context(pool, included_Q),
                    beta=ranker.beta,
                    hit_plain=hit_at_k(plain_Q, self.suite.k),
                    bits=self._bits(ranker, prediction),
                )
            )
        return self.evaluation(
            results, mean_cosine(prediction.vectors, windows, self._vectors_ND)
        )

    def evaluation(
        self, results: Sequence[PoolResult], mean_cosine: float
    ) -> Evaluation:
        """Put results of the pools of these windows together.

        Args:
            results: of each pool.
            mean_cosine: between predictions and targets; NaN where nothing is a vector.
        """
        return Evaluation(
            part=self.suite.part,
            k=self.suite.k,
            num_leaked=self.suite.num_leaked,
            num_unseen=self.suite.num_unseen,
            excludes_context=self.suite.excludes_context,
            is_clean=self.suite.is_clean,
            mean_cosine=mean_cosine,
            pools=tuple(results),
        )

    def _bits(self, ranker: Ranker, prediction: Prediction) -> Estimate | None:
        if self.suite.kind != "items" or self.score is None or ranker.beta == 0:
            return None
        bit_Q = ranker.surprise(prediction) / np.log(2)
        is_told_Q = np.isfinite(bit_Q)
        if not is_told_Q.any():
            return None
        documents = self.suite.windows.documents
        return estimate(bit_Q[is_told_Q].astype(float), documents[is_told_Q])

    def _with_context(self, pool: Pool, included_Q: Int64) -> float | None:
        if pool.name == "targets" or not self.suite.excludes_context:
            return None
        return hit_at_k(included_Q, self.suite.k)


def mean_cosine(prediction_QD: Tensor, windows: Windows, vectors_ND: Tensor) -> float:
    """Return the mean cosine to the target, where there is one; NaN if nowhere.

    Args:
        prediction_QD: unit vectors.
        windows: whose targets.
        vectors_ND: the whole catalogue in the same space.
    """
    cosine_Q = target_cosines(prediction_QD, windows, vectors_ND)
    return float(cosine_Q.nanmean())


def target_cosines(
    prediction_QD: Tensor, windows: Windows, vectors_ND: Tensor
) -> Tensor:
    """Return the cosine to each target, NaN for one without a vector; ``(Q,)``."""
    row_Q = torch.from_numpy(windows.target_rows)
    target_QD = vectors_ND[row_Q.clamp(min=0)]
    cosine_Q = torch.nn.functional.cosine_similarity(prediction_QD, target_QD)
    return cosine_Q.masked_fill(row_Q < 0, torch.nan)


def pool_result(
    pool: Pool,
    rank_Q: Int64,
    document_Q: Int64,
    *,
    k: int,
    baseline: str | None = None,
    baseline_rank_Q: Int64 | None = None,
    with_context: float | None = None,
    beta: float = 0.0,
    hit_plain: float | None = None,
    bits: Estimate | None = None,
    ks: Sequence[int] = KS,
) -> PoolResult:
    """Turn ranks into a result, with intervals over documents; ``k`` of the lift."""
    lift = None
    if baseline_rank_Q is not None:
        gain_Q = _hits(rank_Q, k) - _hits(baseline_rank_Q, k)
        lift = estimate(gain_Q, document_Q)
    return PoolResult(
        pool=pool.name,
        num_candidates=pool.size,
        num_windows=len(rank_Q),
        hit_at={cut: estimate(_hits(rank_Q, cut), document_Q) for cut in ks},
        mrr_at_10=mrr_at_k(rank_Q),
        hit_context_included=with_context,
        beta=beta,
        hit_plain=hit_plain,
        bits=bits,
        baseline=baseline,
        baseline_hit_at=None
        if baseline_rank_Q is None
        else {cut: hit_at_k(baseline_rank_Q, cut) for cut in ks},
        lift=lift,
    )


def _hits(rank_Q: Int64, k: int) -> np.ndarray:
    return (rank_Q <= k).astype(np.float64)
