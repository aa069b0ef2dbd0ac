"""What a model's skill is made of: the same windows, something taken away."""

import itertools
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.searched import SearchedSpace
from nextvec.training.evaluation.statistics import Estimate, estimate
from nextvec.training.models.memory import MemoryEncoder
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.prediction import Prediction
from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import Int64

CONTEXT_LENGTHS: Final = (5, 20, 50, 100)
"""Lengths at which the same windows are predicted."""

_BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """All in the primary pool, Hit@K of the headline, fractions in [0, 1]."""

    pool: PoolName
    k: int

    hit: float
    """With the whole context in its order."""

    by_context_length: dict[int, float]
    """With the newest vectors only."""

    shuffled: float
    """With the context in random order."""

    shuffled_loss: Estimate
    """What shuffling costs, paired over documents."""

    last_replaced: float
    """With the last vector replaced by one of another document."""

    misses_in_document: float | None
    """Share of the wrong first answers that lie in the right document; None if
    no first answer is wrong, and for items, which are in no one document."""

    first_is_copy: float
    """How often the first answer is a vector of the context, or a duplicate of one,
    where these are candidates."""

    memory_gain: Estimate | None
    """Hit@K less that with every read replaced by the mean read; None for
    architectures without a memory."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        plain = asdict(self)
        lengths = self.by_context_length.items()
        plain["by_context_length"] = {str(n): value for n, value in lengths}
        return plain


def diagnose(
    model: NextVectorModel,
    judge: Judge,
    space: SearchedSpace,
    group_N: Int64,
    document_N: Int64,
    *,
    seed: int = 0,
    progress: Steps = ignore_steps,
) -> Diagnostics:
    """Take things away from a model, one at a time.

    Args:
        model: in evaluation mode, on the CPU.
        judge: of the validation suite, in the space of the model.
        space: that space.
        group_N: duplicate group of each row.
        document_N: document of each row.
        seed: seed of the shuffles and replacements.
        progress: told after each prediction of all windows.
    """
    suite, rng = judge.suite, np.random.default_rng(seed)
    windows, ranker = suite.windows, judge.rankers[suite.primary]

    lengths = [n for n in CONTEXT_LENGTHS if n <= windows.width]
    # as it is, shuffled, replaced, at each length, and without its reads
    total = len(lengths) + 4
    steps = itertools.count(1)

    def hits(changed: Windows) -> np.ndarray:
        rank_Q = ranker.ranks(space.predict(model, changed))
        progress(next(steps), total)
        return (rank_Q <= suite.k).astype(float)

    prediction = space.predict(model, windows)
    rank_Q = ranker.ranks(prediction)
    progress(next(steps), total)
    hit_Q = (rank_Q <= suite.k).astype(float)
    shuffled_Q = hits(shuffled(windows, rng))
    last_replaced_Q = hits(_last_replaced(windows, rng))
    documents = windows.documents
    return Diagnostics(
        pool=suite.primary,
        k=suite.k,
        hit=hit_at_k(rank_Q, suite.k),
        by_context_length={
            n: float(hits(windows.truncated(n)).mean()) for n in lengths
        },
        shuffled=float(shuffled_Q.mean()),
        shuffled_loss=estimate(hit_Q - shuffled_Q, documents),
        last_replaced=float(last_replaced_Q.mean()),
        misses_in_document=None
        if suite.kind == "items"
        else _misses_in_document(
            ranker.nearest(prediction, without_target=True),
            rank_Q,
            windows,
            document_N,
        ),
        first_is_copy=_first_is_copy(
            Ranker(
                space.vectors,
                group_N,
                windows,
                ranker.pool,
                exclude_context=False,
                score=space.score,
            ),
            prediction,
            windows,
            group_N,
        ),
        memory_gain=_memory_gain(model, judge, space, hit_Q),
    )


def shuffled(windows: Windows, rng: np.random.Generator) -> Windows:
    """Return the same windows, each context in random order."""
    rows_QT = windows.context_rows.copy()
    for query, length in enumerate(windows.lengths.tolist()):
        order = rng.permutation(length)
        rows_QT[query, :length] = windows.context_rows[query, order]
    return replace(windows, context_rows=rows_QT)


def _last_replaced(windows: Windows, rng: np.random.Generator) -> Windows:
    """Take the last vectors of windows of other documents, where there are any."""
    order = rng.permutation(len(windows))
    last_Q = windows.context_rows[np.arange(len(windows)), windows.lengths - 1]
    rows_QT = windows.context_rows.copy()
    for query, length in enumerate(windows.lengths.tolist()):
        candidates = np.roll(order, -query)
        elsewhere = windows.documents[candidates] != windows.documents[query]
        rows_QT[query, length - 1] = last_Q[candidates[int(np.argmax(elsewhere))]]
    return replace(windows, context_rows=rows_QT)


def _misses_in_document(
    wrong_Q: Int64, rank_Q: Int64, windows: Windows, document_N: Int64
) -> float | None:
    """Share of the misses whose best wrong answer lies in the right document."""
    missed = rank_Q > 1
    if not missed.any():
        return None
    inside = document_N[wrong_Q[missed]] == windows.documents[missed]
    return float(inside.mean())


def _first_is_copy(
    ranker: Ranker, prediction: Prediction, windows: Windows, group_N: Int64
) -> float:
    # of two vectors that are one the search may give either
    group_Q1 = group_N[ranker.nearest(prediction)][:, None]
    is_entry_QT = windows.context_rows >= 0
    is_like_QT = is_entry_QT & (group_N[windows.context_rows] == group_Q1)
    return float(is_like_QT.any(axis=1).mean())


@torch.inference_mode()
def _memory_gain(
    model: NextVectorModel, judge: Judge, space: SearchedSpace, hit_Q: np.ndarray
) -> Estimate | None:
    encoder = model.encoder
    if not isinstance(encoder, MemoryEncoder):
        return None
    suite = judge.suite
    contexts = space.contexts(suite.windows)
    blocks = [
        (context, length, model.inputs(context, length))
        for context, length in zip(
            *(part.split(_BLOCK) for part in contexts), strict=True
        )
    ]
    read_H = _mean_read(encoder, blocks)
    without = Prediction.joined(
        [
            model.predict_from(context, inputs, encoder.forward(inputs, read_H), length)
            for context, length, inputs in blocks
        ]
    ).at(suite.windows.context_rows)
    without_Q = judge.rankers[suite.primary].ranks(without) <= suite.k
    return estimate(hit_Q - without_Q.astype(float), suite.windows.documents)


def _mean_read(
    encoder: MemoryEncoder, blocks: list[tuple[Tensor, Tensor, Tensor]]
) -> Tensor:
    """Return the mean of what the memory answers wherever there is no padding."""
    sums, count = [], 0
    for context_BTD, length_B, inputs_BTI in blocks:
        position_T = torch.arange(context_BTD.shape[1])
        inside_BT = (position_T < length_B[:, None]).to(context_BTD)
        sums.append(torch.einsum("bt,bth->h", inside_BT, encoder.reads(inputs_BTI)))
        count += int(length_B.sum())
    return torch.stack(sums).sum(dim=0) / count
