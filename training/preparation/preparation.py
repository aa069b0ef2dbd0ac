"""What a run needs before its first step."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import Split
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.baselines import Baseline, fit_baselines
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.score import Score
from nextvec.training.evaluation.searched import SearchedSpace
from nextvec.training.evaluation.suite import Suite
from nextvec.training.transform import Transform
from nextvec.training.vectors import Int64


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Corpus, options, and what is computed from the two (`prepare`)."""

    corpus: Corpus
    config: TrainingConfig
    split: Split

    groups: Int64
    """Duplicate group of each row, shape ``(N,)``."""

    train_rows: Int64
    """Rows of the training documents, each once."""

    transform: Transform
    """To the searched space."""

    space: SearchedSpace
    """The catalogue in that space, and how candidates are scored before any network
    has changed it."""

    suite: Suite
    """Windows and pools of validation."""

    judge: Judge
    """Of these."""

    @property
    def selection_pool(self) -> PoolName:
        """The pool that early stopping watches.

        Raises:
            CorpusError: the corpus is too small for it.
        """
        wanted = self.config.selection_pool
        return self.suite.pool(self.suite.primary if wanted == "auto" else wanted).name

    @property
    def vectors(self) -> Tensor:
        """The whole catalogue in the searched space, unit rows, shape ``(N, D)``."""
        return self.space.vectors

    @property
    def score(self) -> Score:
        """How candidates are scored."""
        return self.space.score

    @cached_property
    def learned(self) -> Int64:
        """Training documents that the network learns from, at least one.

        Those of a smaller share are among those of a larger one.
        """
        train, config = self.split.train, self.config
        order = np.random.default_rng(config.split_seed).permutation(len(train))
        wanted = max(1, round(config.train_share * len(train)))
        return np.sort(train[order[:wanted]])

    @cached_property
    def item_counts(self) -> Int64:
        """Entries of the training sequences that name each row, shape ``(N,)``."""
        entries = [self.corpus.known(number) for number in self.split.train.tolist()]
        return np.bincount(np.concatenate(entries), minlength=len(self.vectors))

    @cached_property
    def fitted_baselines(self) -> list[Baseline]:
        """Every setting of every baseline, fitted on the training documents."""
        return fit_baselines(self.vectors, self.corpus, self.split.train)

    def context(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Return context vectors ``(Q, T, D)`` in the searched space, and lengths."""
        return self.space.contexts(windows)
