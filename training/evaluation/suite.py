"""Everything that is the same for all predictors of one part of the corpus."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from nextvec.training.corpus.corpus import Corpus, Kind
from nextvec.training.corpus.repeats import repeat_share
from nextvec.training.corpus.split import Split
from nextvec.training.corpus.windows import Windows, cut_windows, min_context
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.pools import (
    Pool,
    PoolName,
    documents_pool,
    index_pool,
    targets_pool,
)
from nextvec.training.vectors import CONTEXT_LENGTH, Int64

PROTOCOL: Final = 2
"""Version of the evaluation protocol: figures of different ones are not compared."""

MAX_LEAKED_SHARE: Final = 0.05
"""Above this share of leaked windows an evaluation does not call itself clean."""

HEADLINE_K: Final[dict[Kind, int]] = {"documents": 5, "items": 10}
"""Cut-off of early stopping, of the choice of a baseline, and of the lift."""

PRIMARY_POOL: Final[dict[Kind, PoolName]] = {"documents": "documents", "items": "index"}
"""The pool of early stopping, unless an option names another, and of diagnostics."""

MIN_REPEAT_SHARE: Final = 0.01
"""Share of training targets that are in their own context, from which on the data
allow repeats. Below, a repeat is an accident of the log, and as a target a miss."""


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
    """The pools that this corpus is large enough for; for items "index" alone."""

    kind: Kind = "documents"
    """What the windows were cut from."""

    num_unseen: int = 0
    """Windows whose target is in no training sequence: misses, whatever is predicted;
    counted for items only, since a passage is never seen before."""

    repeat_share: float | None = None
    """Share of training targets that are in their own context; None for documents."""

    @property
    def k(self) -> int:
        """The headline's cut-off."""
        return HEADLINE_K[self.kind]

    @property
    def primary(self) -> PoolName:
        """The pool of the headline."""
        return PRIMARY_POOL[self.kind]

    @property
    def excludes_context(self) -> bool:
        """Whether the context is no candidate: not where the data allow repeats."""
        return self.repeat_share is None or self.repeat_share < MIN_REPEAT_SHARE

    @property
    def leaked_share(self) -> float:
        """Share of all windows that were left out as leaked."""
        return self.num_leaked / max(1, len(self.windows) + self.num_leaked)

    @property
    def is_clean(self) -> bool:
        """Whether few enough windows had leaked for the rest to be trusted."""
        return self.leaked_share <= MAX_LEAKED_SHARE

    def in_pools_of(self, other: "Suite") -> "Suite":
        """Return it with those pools that another part has, too.

        What was chosen on one part can be judged on another in these alone.
        """
        names = {pool.name for pool in other.pools}
        return replace(
            self, pools=tuple(pool for pool in self.pools if pool.name in names)
        )

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
            ``(N,)``, for a checkpoint of another corpus; of no meaning for items,
            whose catalogue is shared on purpose.

    Raises:
        CorpusError: no window is left.
    """
    documents = split.part(part)
    windows = cut_windows(
        corpus, documents, stride=stride, context_length=context_length
    )
    known = split.train
    if corpus.kind == "items" and part == "test":
        # what validated a model is no test of it
        known = np.concatenate([split.train, split.validation])
    leaked = leaked_windows(corpus, known, group_N, windows)
    if also_trained_N is not None and corpus.kind == "documents":
        leaked |= np.isin(group_N[windows.target_rows], group_N[also_trained_N])
    kept = windows.take(~leaked)
    is_items = corpus.kind == "items"
    if is_items:
        kept = _unseen_as_misses(kept, corpus.rows_of(split.train))
    if len(kept) == 0:
        msg = (
            f"{corpus.card.name}: no {part} window is left of {len(windows)}: expected "
            f"documents of more than {min_context(corpus.kind, context_length)} "
            "vectors whose content is not in training documents too"
        )
        raise CorpusError(msg)
    found: tuple[Pool | None, ...] = (index_pool(corpus),)
    if not is_items:
        targets = targets_pool(corpus, kept, documents)
        found = (targets, documents_pool(corpus, documents), *found)
    return Suite(
        part=part,
        stride=stride,
        windows=kept,
        num_leaked=int(leaked.sum()),
        pools=tuple(pool for pool in found if pool is not None),
        kind=corpus.kind,
        num_unseen=int((kept.target_rows < 0).sum()) if is_items else 0,
        repeat_share=repeat_share(corpus, split.train) if is_items else None,
    )


def _unseen_as_misses(windows: Windows, trained_rows: Int64) -> Windows:
    """Give windows whose target training never met no target at all."""
    is_seen = np.isin(windows.target_rows, trained_rows)
    return replace(windows, target_rows=np.where(is_seen, windows.target_rows, -1))


def leaked_windows(
    corpus: Corpus, known: Int64, group_N: Int64, windows: Windows
) -> np.ndarray:
    """Return which windows have a target whose like is in a known document.

    For items, whose catalogue is shared on purpose, it is those whose sequence is known
    too: under its own number, or as the same items in the same order.

    Args:
        corpus: of the windows.
        known: documents or sequences that a model has seen.
        group_N: duplicate group of each row.
        windows: to be judged on.

    Returns:
        Booleans, shape ``(Q,)``.
    """
    if corpus.kind == "items":
        known_sequences = {corpus.sequence(d).tobytes() for d in known.tolist()}
        return np.array(
            [
                corpus.sequence(d).tobytes() in known_sequences
                for d in windows.documents.tolist()
            ],
            dtype=bool,
        )
    is_known = np.zeros(int(group_N.max()) + 1, dtype=bool)
    for document in known.tolist():
        is_known[group_N[corpus.sequence(document)]] = True
    return np.asarray(is_known[group_N[windows.target_rows]])
