"""Predictors that need no training by gradient: what a model has to beat.

All of the evaluation protocol, on the same vectors and transform as the model.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.segments import cut_segments
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.item_baselines.aggregate_markov import (
    fit_aggregate_markov,
)
from nextvec.training.evaluation.item_baselines.kneser_ney import fit_kneser_ney
from nextvec.training.evaluation.item_baselines.linear import fit_regressions
from nextvec.training.evaluation.item_baselines.neighbors import fit_neighbors
from nextvec.training.evaluation.item_baselines.rules import fit_rules
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.training_positions import BLOCK, TrainingPositions
from nextvec.training.models.blocks import predict_in_blocks
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.weighted_mean import weighted_mean_at
from nextvec.training.vectors import Float32, Int64

_MAX_RIDGE_ROWS = 50_000
_MAX_KNN_ROWS = 200_000
# Fitting on more moved no validation figure in the second decimal.


class Baseline(Protocol):
    """A predictor of the next one."""

    @property
    def name(self) -> str:
        """What the reports call it."""
        ...

    @property
    def family(self) -> str:
        """Which rule it is a setting of."""
        ...

    def ranks(
        self, judge: Judge, context_QTD: Tensor, length_Q: Tensor
    ) -> dict[PoolName, Int64]:
        """Rank the targets of the judge's windows in every pool.

        Args:
            judge: of the windows.
            context_QTD: their contexts, padded at the end.
            length_Q: vectors in each.
        """
        ...


class VectorBaseline:
    """A baseline that predicts a vector."""

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return unit vectors, shape ``(B, D)``; contexts padded at the end."""
        raise NotImplementedError

    def ranks(
        self, judge: Judge, context_QTD: Tensor, length_Q: Tensor
    ) -> dict[PoolName, Int64]:
        """Rank the targets by their cosine to the prediction."""
        return judge.ranks(self.predicted(context_QTD, length_Q))

    def predicted(self, context_QTD: Tensor, length_Q: Tensor) -> Tensor:
        """Predict for any number of contexts, a block at a time; shape ``(Q, D)``."""
        return predict_in_blocks(self.predict, context_QTD, length_Q, block=BLOCK)


class ClosedFormBaseline(VectorBaseline):
    """A baseline that can be the base of a network."""

    @property
    def name(self) -> str:
        """What the reports call it."""
        raise NotImplementedError

    @property
    def family(self) -> str:
        """Which rule it is a setting of."""
        raise NotImplementedError

    @property
    def form(self) -> ClosedForm:
        """What it computes."""
        raise NotImplementedError

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return the normalized closed form at the last position."""
        predicted_B1D = self.form.at(context_BTD, length_B[:, None] - 1)
        return normalize(predicted_B1D[:, 0], dim=-1)


@dataclass(frozen=True)
class WeightedMean(ClosedFormBaseline):
    """Exponentially weighted means of the context; with rate 1, its last vector."""

    rates: tuple[float, ...]
    weights: tuple[float, ...] = (1.0,)

    @property
    def name(self) -> str:
        """copy-last, or the exponentially weighted means by their rates."""
        if self.rates == (1.0,):
            return "copy-last"
        if len(self.rates) == 1:
            return f"EWMA({self.rates[0]:g})"
        parts = zip(self.weights, self.rates, strict=True)
        return " + ".join(
            f"{weight:g} {'last' if rate == 1 else f'EWMA({rate:g})'}"
            for weight, rate in parts
        )

    @property
    def family(self) -> str:
        """copy-last or weighted mean."""
        return "copy-last" if self.rates == (1.0,) else "weighted mean"

    @property
    def form(self) -> ClosedForm:
        """The means alone."""
        return ClosedForm(rates=self.rates, weights=self.weights)


@dataclass(frozen=True)
class Remembering(ClosedFormBaseline):
    """A weighted mean, and what followed similar states of the same context."""

    mean: WeightedMean
    memory: SequenceMemory

    @property
    def family(self) -> str:
        """One rule, whatever the mean."""
        return "weighted mean with memory"

    @property
    def name(self) -> str:
        """The mean, and the numbers of its memory: gain, tau, cap."""
        memory = self.memory
        numbers = f"{memory.gain:g}, {memory.tau:g}, {memory.cap:g}"
        return f"{self.mean.name} + memory({numbers})"

    @property
    def form(self) -> ClosedForm:
        """The mean and its memory."""
        return replace(self.mean.form, memory=self.memory)


def remembering(mean: WeightedMean) -> list[Remembering]:
    """Return all settings of a memory beside a mean.

    The rate of the states hardly matters from .5 to 1, so it is one; where a state must
    be more alike to count, fewer need be alike for the memory to be trusted. Passages
    of text want a gain of .5 to 1.2; where order is a rule, the mean only disturbs.
    """
    return [
        Remembering(mean, SequenceMemory(gain=gain, tau=tau, cap=cap))
        for gain in (0.5, 0.8, 1.2, 3.0)
        for tau, cap in ((0.03, 0.003), (0.05, 0.01))
    ]


@dataclass(frozen=True)
class ContextMean(VectorBaseline):
    """The mean of the whole context."""

    name: str = "mean of the context"
    family: str = "mean of the context"

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return the normalized mean."""
        return normalize(_context_mean(context_BTD, length_B), dim=-1)


@dataclass(frozen=True)
class GlobalMean(VectorBaseline):
    """The mean of all training vectors, whatever the context."""

    mean: Tensor = field(repr=False)
    """Not normalized, shape ``(D,)``."""

    name: str = "global mean"
    family: str = "global mean"

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return the same vector for all."""
        del length_B
        mean_D = normalize(self.mean, dim=-1)
        return mean_D.to(context_BTD).expand(len(context_BTD), -1)


@dataclass(frozen=True)
class Ridge(VectorBaseline):
    """Linear regression on the last vector, two weighted means and the mean."""

    penalty: float
    """Ridge penalty, as a share of the features' mean variance."""

    coefficients: Tensor = field(repr=False)
    """Shape ``(4 D, D)``."""

    family: str = "ridge regression"

    @property
    def name(self) -> str:
        """The family and its penalty."""
        return f"ridge({self.penalty:g})"

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return the normalized regression."""
        features_BF = _regressors(context_BTD, length_B)
        return normalize(features_BF @ self.coefficients.to(features_BF), dim=-1)


@dataclass(frozen=True)
class Successor(VectorBaseline):
    """What came after the nearest training contexts."""

    num_nearest: int
    keys: Tensor = field(repr=False)
    """Weighted mean up to each training position, shape ``(P, D)``."""

    following: Tensor = field(repr=False)
    """The vector after each of them, shape ``(P, D)``."""

    rate: float = 0.3
    """Rate of the weighted mean by which contexts are compared."""

    family: str = "successor of the nearest training context"

    @property
    def name(self) -> str:
        """How many neighbours are averaged."""
        return f"kNN successor({self.num_nearest})"

    def predict(self, context_BTD: Tensor, length_B: Tensor) -> Tensor:
        """Return the normalized mean of the successors."""
        key_BD = WeightedMean((self.rate,)).predict(context_BTD, length_B)
        near = (key_BD @ self.keys.T.to(key_BD)).topk(self.num_nearest, dim=1).indices
        return normalize(self.following.to(key_BD)[near].mean(dim=1), dim=-1)


@dataclass(frozen=True)
class Popularity:
    """What occurs most often in training, whatever the context."""

    counts: Tensor = field(repr=False)
    """Entries of training that name each row, shape ``(N,)``."""

    name: str = "popularity"
    family: str = "popularity"

    @classmethod
    def fit(cls, corpus: Corpus, train: Int64) -> Self:
        """Count the entries of the training sequences."""
        rows = np.concatenate([corpus.known(d) for d in train.tolist()])
        count_N = np.bincount(rows, minlength=len(corpus.vectors))
        return cls(torch.from_numpy(count_N.astype(np.float32)))

    def ranks(
        self, judge: Judge, context_QTD: Tensor, length_Q: Tensor
    ) -> dict[PoolName, Int64]:
        """Rank the targets by how often they occur."""
        del context_QTD, length_Q
        return {n: r.ranks_by(self.counts) for n, r in judge.rankers.items()}

    def probabilities(self, windows: Windows) -> Float32:
        """Return the same share of the training entries for all, shape ``(Q, N)``."""
        share_N: Float32 = (self.counts / self.counts.sum()).numpy()
        return np.broadcast_to(share_N, (len(windows), len(share_N)))


def closed_form_baseline(form: ClosedForm) -> ClosedFormBaseline:
    """Return the baseline that computes a closed form."""
    mean = WeightedMean(form.rates, form.weights)
    return mean if form.memory is None else Remembering(mean, form.memory)


def closed_form_baselines() -> list[WeightedMean]:
    """Return the weighted means: every one of them can be the base of a model."""
    single = [WeightedMean((rate,)) for rate in (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05)]
    # one strong step, then a flat floor of topic: two rates fit that better than one
    mixed = [
        WeightedMean((fast, slow), (round(1 - share, 2), share))
        for fast, slow in ((1.0, 0.2), (0.7, 0.1), (0.5, 0.05))
        for share in (0.3, 0.5, 0.7)
    ]
    return single + mixed


def fit_baselines(
    vectors_ND: Tensor, corpus: Corpus, train: Int64, *, seed: int = 0
) -> list[Baseline]:
    """Fit all families on the training documents, in all their settings.

    Popularity and closed forms over ids are among them for items; a passage of a
    document occurs once.

    Args:
        vectors_ND: the catalogue in the searched space.
        corpus: whose sequences these are.
        train: numbers of the training documents.
        seed: seed of the positions drawn where there are too many.

    Returns:
        Every setting of every family; which is best is for validation to say.
    """
    segments = cut_segments(corpus, train)
    rows = np.unique(segments[segments >= 0])
    baselines: list[Baseline] = [*closed_form_baselines(), ContextMean()]
    baselines.append(GlobalMean(vectors_ND[torch.from_numpy(rows)].mean(dim=0)))
    rng = np.random.default_rng(seed)
    baselines += _fit_ridge(vectors_ND, segments, rng)
    baselines += _fit_successor(vectors_ND, segments, rng)
    if corpus.kind == "items":
        baselines.append(Popularity.fit(corpus, train))
        baselines += fit_rules(corpus, train)
        baselines += fit_regressions(corpus, train)
        baselines += fit_neighbors(corpus, train)
        baselines += fit_kneser_ney(corpus, train)
        baselines += fit_aggregate_markov(corpus, train)
    return baselines


def _fit_ridge(
    vectors_ND: Tensor, segments: Int64, rng: np.random.Generator
) -> list[Ridge]:
    dim = vectors_ND.shape[1]
    gram = torch.zeros(4 * dim, 4 * dim)
    moment = torch.zeros(4 * dim, dim)
    positions = TrainingPositions.draw(segments, _MAX_RIDGE_ROWS, rng)
    for _, context_BTD, length_B, next_BD in positions.blocks(vectors_ND):
        features_BF = _regressors(context_BTD, length_B)
        gram += features_BF.T @ features_BF
        moment += features_BF.T @ next_BD
    eye = torch.eye(len(gram))
    scale = gram.diagonal().mean()
    return [
        Ridge(penalty, torch.linalg.solve(gram + penalty * scale * eye, moment))
        for penalty in (0.001, 0.01, 0.1, 1.0)
    ]


def _fit_successor(
    vectors_ND: Tensor, segments: Int64, rng: np.random.Generator
) -> list[Successor]:
    positions = TrainingPositions.draw(segments, _MAX_KNN_ROWS, rng)
    rule = WeightedMean((0.3,))
    # not collected block by block: 800 small tensors between the large ones of the
    # blocks kept 4.5 GiB from being used again (544,970 vectors, D = 256)
    key_PD = torch.empty(len(positions), vectors_ND.shape[1])
    following_PD = torch.empty_like(key_PD)
    for part, context_BTD, length_B, next_BD in positions.blocks(vectors_ND):
        key_PD[part] = rule.predict(context_BTD, length_B)
        following_PD[part] = next_BD
    nearest = [k for k in (1, 5, 20) if k <= len(positions)]
    return [Successor(k, key_PD, following_PD) for k in nearest]


def _regressors(context_BTD: Tensor, length_B: Tensor) -> Tensor:
    last_B1 = length_B[:, None] - 1
    parts = [
        weighted_mean_at(context_BTD, last_B1, (rate,), (1.0,))[:, 0]
        for rate in (1.0, 0.5, 0.2)
    ]
    return torch.cat([*parts, _context_mean(context_BTD, length_B)], dim=-1)


def _context_mean(context_BTD: Tensor, length_B: Tensor) -> Tensor:
    position_T = torch.arange(context_BTD.shape[1], device=context_BTD.device)
    inside_BT = (position_T < length_B[:, None]).to(context_BTD)
    sum_BD = torch.einsum("bt,btd->bd", inside_BT, context_BTD)
    return sum_BD / length_B[:, None]
