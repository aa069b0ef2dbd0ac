"""Hard candidates of training windows: what a closed form takes for the next vector."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.corpus.windows import Windows, cut_windows
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.score import scores
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Int64

_MOST_WINDOWS: Final = 30_000
# 12,000 and 30,000 of docs-large train alike.

_HARD_SHARE, _OWN_SHARE = 0.6, 0.2
# Of the candidates, before what is in the context is left out: the best by the closed
# form, to which a whole context is added, since some of it is among them; and those of
# the same document; what is then missing is drawn by lot.

_SPARE: Final = 64
# More of the best than can be left out, so that duplicates of the target leave enough.

_BLOCK: Final = 64


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Training windows, and for each what its target has to be better than."""

    windows: Windows
    """With their whole context, of training documents."""

    rows: Int64
    """Rows of the candidates of each, the target first; shape ``(Q, 1 + C)``."""

    hubness: Tensor
    """Of each row of the catalogue, times the share of it that is taken off."""

    @classmethod
    def mine(cls, prepared: Preparation, base: ClosedForm, size: int) -> Self:
        """Search training documents as those of validation will be searched.

        They are dealt into parts of about as many vectors as validation has: a target
        meets as many rivals as it will there. What is in a context, and duplicates of
        the target, are no candidates.

        Args:
            prepared: of the run.
            base: what finds the hard ones.
            size: candidates of each window, C.
        """
        corpus, config = prepared.corpus, prepared.config
        rng = np.random.default_rng([config.seed, size])
        train = prepared.split.train
        windows = training_windows(prepared, config.train_stride, _MOST_WINDOWS, rng)
        pool = prepared.selection_pool
        hubness_N = prepared.score.hubness * prepared.score.beta(pool)
        part_D = _parts(prepared, train, pool, rng)
        rows_QC = np.empty((len(windows), 1 + size), dtype=np.int64)
        part_Q = part_D[windows.documents]
        for part in range(int(part_D.max()) + 1):
            rows = corpus.rows_of(np.flatnonzero(part_D == part))
            candidate_CD = prepared.vectors[torch.from_numpy(rows)]
            hubness_C = hubness_N[torch.from_numpy(rows)]
            numbers = np.flatnonzero(part_Q == part)
            for start in range(0, len(numbers), _BLOCK):
                block = numbers[start : start + _BLOCK]
                context_BTD, length_B = prepared.context(windows.take(block))
                found_B1D = base.at(context_BTD, length_B[:, None] - 1)
                found_BD = normalize(found_B1D[:, 0], dim=-1)
                score_BC = scores(found_BD, candidate_CD, hubness_C, 1.0)
                most = min(size + windows.width + _SPARE, len(rows))
                hard_BK = rows[score_BC.topk(most, dim=1).indices.numpy()]
                for number, hard_K in zip(block.tolist(), hard_BK, strict=True):
                    rows_QC[number] = _chosen(
                        prepared, windows, number, hard_K, rows, size, rng
                    )
        return cls(windows=windows, rows=rows_QC, hubness=hubness_N)


def training_windows(
    prepared: Preparation, stride: int, most: int, rng: np.random.Generator
) -> Windows:
    """Cut windows of training documents; some by lot if there are too many.

    Args:
        prepared: of the run.
        stride: vectors between the starts of two windows of a document.
        most: windows at most.
        rng: draws the lot.

    Raises:
        TrainingError: no training document is long enough for one.
    """
    windows = cut_windows(prepared.corpus, prepared.learned, stride=stride)
    if len(windows) == 0:
        msg = (
            f"{prepared.corpus.card.name}: no training document has more than "
            f"{windows.width} vectors: a network that reads similarities learns from "
            "whole windows; try --reads vectors"
        )
        raise TrainingError(msg)
    if len(windows) > most:
        windows = windows.take(rng.permutation(len(windows))[:most])
    return windows


def _parts(
    prepared: Preparation, train: Int64, pool: PoolName, rng: np.random.Generator
) -> Int64:
    """Return the part of each training document, -1 for all others; ``(S,)``."""
    wanted = min(prepared.suite.pool(pool).size, len(prepared.train_rows))
    num_parts = max(1, round(len(prepared.train_rows) / wanted))
    part_D = np.full(len(prepared.corpus.document_ids), -1, dtype=np.int64)
    # the longest are dealt first, so that parts are of like size
    noise = rng.uniform(0, 5, len(train))
    order = np.argsort(noise - prepared.corpus.lengths[train])
    part_D[train[order]] = np.arange(len(train)) % num_parts
    return part_D


def _chosen(
    prepared: Preparation,
    windows: Windows,
    number: int,
    hard_K: Int64,
    rows: Int64,
    size: int,
    rng: np.random.Generator,
) -> Int64:
    """Return the target and its candidates: hard ones, its document's, and others."""
    target, document = windows.target_rows[number], windows.documents[number]
    own = prepared.corpus.sequence(int(document))
    drawn = np.concatenate(
        [
            hard_K[: int(_HARD_SHARE * size) + windows.width],
            rng.permutation(own)[: int(_OWN_SHARE * size)],
            rng.choice(rows, 2 * size),
            hard_K,
        ]
    )
    is_out = np.isin(drawn, windows.context_rows[number])
    is_out |= prepared.groups[drawn] == prepared.groups[target]
    kept, first = np.unique(drawn[~is_out], return_index=True)
    # in the order in which they were drawn
    kept = kept[np.argsort(first)][:size]
    return np.concatenate([[target], np.resize(kept, size)])
