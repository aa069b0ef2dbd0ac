"""Everything that is the same for all predictors of one part of the corpus."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.corpus.corpus import Corpus
from training.corpus.split import Split
from training.corpus.windows import Windows, cut_windows
from training.errors import CorpusError
from training.evaluation.pools import (
    Pool,
    PoolName,
    documents_pool,
    index_pool,
    targets_pool,
)
from training.vectors import CONTEXT_LENGTH, Int64

PROTOCOL: Final = 1
"""Version of the evaluation protocol: figures of different ones are not compared."""

MAX_LEAKED_SHARE: Final = 0.05
"""Above this share of leaked windows an evaluation does not call itself clean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The windows of a part, its pools, and what was left out."""

    part: str
    """validation or test."""

    stride: int
    """Vectors between the starts of two windows of a document."""

    windows: Windows
    """The primary windows: the target's duplicate group is in no training document."""

    num_leaked: int
    """Windows left out because it is."""

    pools: tuple[Pool, ...]
    """The pools that this corpus is large enough for."""

    @property
    def leaked_share(self) -> float:
        """Share of all windows that were left out as leaked."""
        return self.num_leaked / max(1, len(self.windows) + self.num_leaked)

    @property
    def is_clean(self) -> bool:
        """Whether few enough windows had leaked for the rest to be trusted."""
        return self.leaked_share <= MAX_LEAKED_SHARE

    def pool(self, name: PoolName) -> Pool:
        """Return the pool of that name.

        Raises:
            CorpusError: the corpus was too small for it.
        """
        for pool in self.pools:
            if pool.name == name:
                return pool
        msg = f"pool {name!r} needs more passages than this corpus has"
        raise CorpusError(msg)


def build_suite(
    corpus: Corpus,
    split: Split,
    group_N: Int64,
    part: str,
    *,
    stride: int = 10,
    context_length: int = CONTEXT_LENGTH,
    also_trained_N: np.ndarray | None = None,
) -> Suite:
    """Cut the windows of a part, set leaked ones aside, and make the pools.

    Args:
        corpus: the whole corpus.
        split: its split.
        group_N: duplicate group of each row.
        part: "validation" or "test".
        stride: vectors between the starts of two windows of a document.
        context_length: vectors of context.
        also_trained_N: further rows that a model was trained on, booleans of shape
            ``(N,)``, for a checkpoint of another corpus.

    Raises:
        CorpusError: no window is left.
    """
    documents = split.part(part)
    windows = cut_windows(
        corpus, documents, stride=stride, context_length=context_length
    )
    leaked = leaked_windows(corpus, split.train, group_N, windows)
    if also_trained_N is not None:
        leaked |= np.isin(group_N[windows.target_rows], group_N[also_trained_N])
    kept = windows.take(~leaked)
    if len(kept) == 0:
        msg = (
            f"{corpus.card.name}: no {part} window is left of {len(windows)}: expected "
            f"documents of more than {context_length} vectors whose content is not "
            "in training documents too"
        )
        raise CorpusError(msg)
    found = (
        targets_pool(corpus, kept, documents),
        documents_pool(corpus, documents),
        index_pool(corpus),
    )
    return Suite(
        part=part,
        stride=stride,
        windows=kept,
        num_leaked=int(leaked.sum()),
        pools=tuple(pool for pool in found if pool is not None),
    )


def leaked_windows(
    corpus: Corpus, train: Int64, group_N: Int64, windows: Windows
) -> np.ndarray:
    """Return which windows have a target whose like is in a training document.

    For items, whose catalogue is shared on purpose, none: there the check is that no
    sequence is in two parts, and that holds by construction of the split.

    Returns:
        Booleans, shape ``(Q,)``.
    """
    if corpus.kind == "items":
        return np.zeros(len(windows), dtype=bool)
    trained = np.zeros(int(group_N.max()) + 1, dtype=bool)
    for document in train.tolist():
        trained[group_N[corpus.sequence(document)]] = True
    return np.asarray(trained[group_N[windows.target_rows]])
