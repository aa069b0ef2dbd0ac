"""What every run on a corpus needs before the first step, and keeps in its folder."""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from training.config import TrainingConfig
from training.corpus.corpus import Corpus
from training.corpus.duplicates import duplicate_groups
from training.corpus.split import Split, split_documents
from training.corpus.unique import UInt64, row_keys
from training.corpus.windows import Windows
from training.errors import BundleError
from training.evaluation.baselines import (
    Baseline,
    WeightedMean,
    fit_baselines,
    predict_all,
)
from training.evaluation.evaluation import SELECTION_K, Judge
from training.evaluation.metrics import hit_at_k
from training.evaluation.pools import PoolName
from training.evaluation.statistics import estimate
from training.evaluation.suite import Suite, build_suite
from training.evaluation.suite_store import load_suite, save_suite
from training.files import read_json, write_bytes, write_json
from training.listener import Listener
from training.transform import Transform
from training.vectors import Int64

GROUPS = "groups.npy"
SUITE = "validation.npz"
BASELINES = "baselines.safetensors"
BASELINE_SCORES = "baselines.json"
TRAINED = "trained.npy"


@dataclass(frozen=True, kw_only=True)
class BestBaselines:
    """The best baseline of each pool, chosen on validation, and all that were tried."""

    names: dict[PoolName, str]
    """Name of the best one."""

    predictions: dict[PoolName, Tensor]
    """Its predictions on the validation windows, shape ``(Q, D)``."""

    scores: dict[str, dict[PoolName, float]]
    """Validation Hit@5 of every setting of every family, by pool."""

    estimates: dict[str, dict[PoolName, dict[str, float]]]
    """The same with 95 % intervals over documents: value, low and high."""

    base: WeightedMean
    """The best weighted mean of the selection pool: the base of the model."""

    def paired(self) -> Mapping[PoolName, tuple[str, Tensor]]:
        """Return them as `Judge.evaluate` takes them."""
        return {
            pool: (name, self.predictions[pool]) for pool, name in self.names.items()
        }


class Preparation:
    """Split, duplicate groups, searched space, windows and baselines of a run.

    What takes long is kept in the run's folder and found there by the next attempt.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: TrainingConfig,
        folder: Path,
        listener: Listener,
        *,
        transform: Transform | None = None,
        trained_keys: UInt64 | None = None,
    ) -> None:
        """Prepare it.

        Args:
            corpus: whose documents these are.
            config: the options of the run.
            folder: the run's, which exists.
            listener: hears of every stage.
            transform: the one to use; None fits one on the training documents.
            trained_keys: keys of vectors that a model of another corpus was trained
                on: windows with such a target count as leaked.
        """
        self.corpus, self.config = corpus, config
        self._folder, self._listener = folder, listener
        listener.stage("splitting by document, finding duplicates")
        self.split: Split = split_documents(corpus, config.split)
        self.group_N: Int64 = self._groups()
        listener.stage("fitting the transform, cutting windows")
        train_rows = np.concatenate(
            [corpus.sequence(d) for d in self.split.train.tolist()]
        )
        self.train_rows: Int64 = np.unique(train_rows)
        also_trained_N = None
        if trained_keys is not None:
            also_trained_N = np.isin(row_keys(np.asarray(corpus.vectors)), trained_keys)
        self.transform = transform or Transform.fit(
            np.asarray(corpus.vectors[self.train_rows]), config.transform_config
        )
        self.vectors_ND: Tensor = torch.from_numpy(self.transform.apply(corpus.vectors))
        self.suite: Suite = self._validation_suite(also_trained_N)
        self.judge = Judge(self.vectors_ND, self.group_N, self.suite)

    def keep_trained_keys(self) -> None:
        """Write which vectors are trained on, for evaluation on another corpus."""
        keys = row_keys(np.asarray(self.corpus.vectors[self.train_rows]))
        data = io.BytesIO()
        np.save(data, keys)
        write_bytes(self._folder / TRAINED, data.getvalue())

    def context(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Return context vectors ``(Q, T, D)`` in the searched space, and lengths."""
        context_QTD = windows.contexts(self.vectors_ND.numpy())
        return torch.from_numpy(context_QTD), torch.from_numpy(windows.lengths)

    @cached_property
    def fitted_baselines(self) -> list[Baseline]:
        """Every setting of every baseline, fitted on the training documents."""
        return fit_baselines(self.vectors_ND, self.corpus, self.split.train)

    def best_baselines(self) -> BestBaselines:
        """Choose the best baseline of each pool on validation."""
        kept = self._kept_baselines()
        if kept is not None:
            return kept
        self._listener.stage("measuring the baselines")
        context_QTD, length_Q = self.context(self.suite.windows)
        scores: dict[str, dict[PoolName, float]] = {}
        estimates: dict[str, dict[PoolName, dict[str, float]]] = {}
        best: dict[PoolName, tuple[float, str, Tensor]] = {}
        fitted = self.fitted_baselines
        for done, baseline in enumerate(fitted, start=1):
            prediction_QD = predict_all(baseline, context_QTD, length_Q)
            scores[baseline.name], estimates[baseline.name] = {}, {}
            for pool, rank_Q in self.judge.ranks(prediction_QD).items():
                score = hit_at_k(rank_Q, SELECTION_K)
                scores[baseline.name][pool] = score
                hit_Q = (rank_Q <= SELECTION_K).astype(float)
                found = estimate(hit_Q, self.suite.windows.documents)
                estimates[baseline.name][pool] = asdict(found)
                if pool not in best or score > best[pool][0]:
                    best[pool] = (score, baseline.name, prediction_QD)
            self._listener.progress(done, len(fitted))
        chosen = BestBaselines(
            names={pool: name for pool, (_, name, _) in best.items()},
            predictions={pool: prediction for pool, (_, _, prediction) in best.items()},
            scores=scores,
            estimates=estimates,
            base=self._best_base(scores),
        )
        self._keep_baselines(chosen)
        return chosen

    def _best_base(self, scores: dict[str, dict[PoolName, float]]) -> WeightedMean:
        means = [b for b in self.fitted_baselines if isinstance(b, WeightedMean)]
        pool = self.selection_pool
        return max(means, key=lambda mean: scores[mean.name][pool])

    @property
    def selection_pool(self) -> PoolName:
        """The pool that early stopping watches.

        Raises:
            CorpusError: the corpus is too small for it.
        """
        return self.suite.pool(self.config.selection_pool).name

    def _groups(self) -> Int64:
        path = self._folder / GROUPS
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            groups = duplicate_groups(np.asarray(self.corpus.vectors))
            data = io.BytesIO()
            np.save(data, groups)
            write_bytes(path, data.getvalue())
            return groups

    def _validation_suite(self, also_trained_N: np.ndarray | None) -> Suite:
        path = self._folder / SUITE
        try:
            return load_suite(path)
        except BundleError:
            suite = build_suite(
                self.corpus,
                self.split,
                self.group_N,
                "validation",
                stride=self.config.stride,
                also_trained_N=also_trained_N,
            )
            temporary = path.with_suffix(".tmp.npz")
            save_suite(temporary, suite)
            temporary.replace(path)
            return suite

    def _keep_baselines(self, chosen: BestBaselines) -> None:
        tensors: dict[str, Tensor] = {
            pool: prediction.contiguous().clone()
            for pool, prediction in chosen.predictions.items()
        }
        write_bytes(self._folder / BASELINES, save_tensors(tensors))
        about = {
            "names": chosen.names,
            "scores": chosen.scores,
            "estimates": chosen.estimates,
            "base": {"rates": chosen.base.rates, "weights": chosen.base.weights},
        }
        write_json(self._folder / BASELINE_SCORES, about)

    def _kept_baselines(self) -> BestBaselines | None:
        try:
            about: dict[str, Any] = read_json(self._folder / BASELINE_SCORES)
            predictions = load_tensors((self._folder / BASELINES).read_bytes())
        except (OSError, ValueError, SafetensorError):
            return None
        base = about["base"]
        return BestBaselines(
            names=about["names"],
            predictions={pool: predictions[pool] for pool in about["names"]},
            scores=about["scores"],
            estimates=about["estimates"],
            base=WeightedMean(tuple(base["rates"]), tuple(base["weights"])),
        )
