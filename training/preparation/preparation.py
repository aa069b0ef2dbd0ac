"""What every run on a corpus needs before the first step, and keeps in its folder."""

import hashlib
import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import torch
from safetensors.numpy import save as save_arrays
from torch import Tensor

from training.config import TrainingConfig
from training.corpus.corpus import Corpus
from training.corpus.duplicates import duplicate_groups
from training.corpus.split import Split, SplitConfig, split_documents
from training.corpus.unique import UInt64, row_keys
from training.corpus.windows import Windows
from training.errors import CorpusError
from training.evaluation.baselines import Baseline, fit_baselines
from training.evaluation.evaluation import Judge
from training.evaluation.pools import PoolName
from training.evaluation.suite import PROTOCOL, Suite, build_suite
from training.evaluation.suite_store import load_suite, save_suite
from training.files import write_bytes
from training.listener import Listener
from training.preparation.best_baselines import BestBaselines, read_ranks
from training.preparation.shared_cache import Shelf
from training.transform import Transform
from training.vectors import Int64

GROUPS: Final = "groups.npy"
SUITE: Final = "validation.npz"
TRAINED: Final = "trained.npy"

SHARED: Final = ".shared"
"""Folder beside the runs, for what runs on one ground need in common."""

TEST_BASELINES: Final = "test-baselines.safetensors"
"""Ranks that these baselines give the test targets, by pool."""

GROUND_OPTIONS: Final = (
    "validation_share",
    "test_share",
    "split_seed",
    "stride",
    "selection_pool",
    "transform",
    "whiten_strength",
    "whiten_shrinkage",
)
"""The options that decide on windows, pools and space, and so on the baselines."""

_SHARED_FORMAT: Final = 1
# Of what lies there; another number makes it anew.


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
        shared: Path | None = None,
        transform: Transform | None = None,
        trained_keys: UInt64 | None = None,
    ) -> None:
        """Prepare it.

        Args:
            corpus: whose documents these are.
            config: the options of the run.
            folder: the run's, which exists.
            listener: hears of every stage.
            shared: folder where runs leave for each other what depends on corpus,
                split and space alone; None shares nothing.
            transform: the one to use; None fits one on the training documents.
            trained_keys: keys of vectors that a model of another corpus was trained
                on: windows with such a target count as leaked.

        Raises:
            CorpusError: too small to be split, or its vectors were made from the
                training sequences of another split.
        """
        _require_split(corpus, config.split)
        self.corpus, self.config = corpus, config
        self._listener = listener
        self._folder = folder
        ground = None if shared is None else shared / ground_name(corpus, config)
        self._shelf = Shelf(folder, ground)
        listener.stage("splitting by document, finding duplicates")
        self.split: Split = split_documents(corpus, config.split)
        self.group_N: Int64 = self._groups(shared)
        listener.stage("fitting the transform, cutting windows")
        self.train_rows: Int64 = corpus.rows_of(self.split.train)
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
        write_bytes(self._folder / TRAINED, _npy(keys))

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
        with self._shelf.locked(self._wait):
            kept = BestBaselines.kept(self._shelf)
            if kept is not None:
                return kept
            self._listener.stage("measuring the baselines")
            chosen = BestBaselines.choose(
                self.fitted_baselines,
                self.judge,
                self.context(self.suite.windows),
                self.selection_pool,
                self._listener,
            )
            chosen.keep(self._shelf)
            return chosen

    def test_baselines(
        self, chosen: BestBaselines, judge: Judge
    ) -> Mapping[PoolName, tuple[str, Int64]]:
        """Rank the test targets by the baselines that validation chose.

        Args:
            chosen: which.
            judge: of the test windows.

        Returns:
            For each pool of these windows name and ranks, as `Judge.evaluate` takes
            them.
        """
        names = {p: name for p, name in chosen.names.items() if p in judge.rankers}
        ranks = self._shelf.read(TEST_BASELINES, read_ranks)
        if ranks is None or set(ranks) != set(names):
            context_QTD, length_Q = self.context(judge.suite.windows)
            by_name = {
                name: next(b for b in self.fitted_baselines if b.name == name).ranks(
                    judge, context_QTD, length_Q
                )
                for name in set(names.values())
            }
            ranks = {pool: by_name[name][pool] for pool, name in names.items()}
            arrays = {str(pool): rank_Q for pool, rank_Q in ranks.items()}
            self._shelf.write(TEST_BASELINES, save_arrays(arrays))
        return {pool: (name, ranks[pool]) for pool, name in names.items()}

    @property
    def selection_pool(self) -> PoolName:
        """The pool that early stopping watches.

        Raises:
            CorpusError: the corpus is too small for it.
        """
        wanted = self.config.selection_pool
        return self.suite.pool(self.suite.primary if wanted == "auto" else wanted).name

    def _groups(self, shared: Path | None) -> Int64:
        if self.corpus.kind == "items":
            # two items are two things, however alike their vectors
            groups: Int64 = np.arange(len(self.corpus.vectors))
            write_bytes(self._folder / GROUPS, _npy(groups))
            return groups
        # of the corpus alone: shared by all splits
        place = None if shared is None else shared / self.corpus.fingerprint[:16]
        shelf = Shelf(self._folder, place)
        with shelf.locked(self._wait):
            kept = shelf.read(GROUPS, lambda path: np.load(path, allow_pickle=False))
            if kept is not None:
                return np.asarray(kept)
            groups = duplicate_groups(np.asarray(self.corpus.vectors))
            shelf.write(GROUPS, _npy(groups))
            return groups

    def _wait(self) -> None:
        self._listener.stage("waiting for another run that makes the same")

    def _validation_suite(self, also_trained_N: np.ndarray | None) -> Suite:
        kept = self._shelf.read(SUITE, load_suite)
        if kept is not None:
            return kept
        suite = build_suite(
            self.corpus,
            self.split,
            self.group_N,
            "validation",
            stride=self.config.stride,
            also_trained_N=also_trained_N,
        )
        data = io.BytesIO()
        save_suite(data, suite)
        self._shelf.write(SUITE, data.getvalue())
        return suite


def _require_split(corpus: Corpus, split: SplitConfig) -> None:
    """Refuse vectors that were made from sequences which are not all for training."""
    made_on = corpus.card.vectors_split
    wanted = {
        "seed": split.seed,
        "validation": split.validation,
        "test": split.test,
    }
    if made_on is not None and made_on != wanted:
        msg = (
            f"{corpus.card.name}: its vectors were made from the training sequences of "
            f"split {made_on}, got {wanted}: train with that split, or make the corpus "
            "anew with this one"
        )
        raise CorpusError(msg)


def ground_name(corpus: Corpus, config: TrainingConfig) -> str:
    """Name everything that windows, pools and baselines depend on, in 16 letters."""
    options = config.to_dict()
    told = [_SHARED_FORMAT, PROTOCOL, [options[name] for name in GROUND_OPTIONS]]
    digest = hashlib.sha256(corpus.fingerprint.encode() + orjson.dumps(told))
    return digest.hexdigest()[:16]


def _npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()
