"""How candidates are scored: their hubness, and how much of it validation takes off."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
import torch
from torch import Tensor

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import Split
from nextvec.training.evaluation.baselines import Remembering, WeightedMean
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.hubness import QueryBank
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.score import BETAS, Score
from nextvec.training.evaluation.suite import Suite
from nextvec.training.evaluation.training_positions import BLOCK
from nextvec.training.files import array_bytes, read_json
from nextvec.training.models.blocks import predict_in_blocks
from nextvec.training.models.closed_form import SequenceMemory
from nextvec.training.preparation.shared_cache import Entry
from nextvec.training.run_folder import BANK, HUBNESS, SCORE
from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import Int64

if TYPE_CHECKING:
    from nextvec.training.evaluation.pools import PoolName

_JUDGE: Final = Remembering(WeightedMean((0.7, 0.1), (0.5, 0.5)), SequenceMemory())
# Good on every corpus seen, and known before any baseline is chosen.

_HUBNESS_PERCENT = 80
# Of the bar, by guess: the hubness is most of the work; the rest is ranks.


def draw_bank(vectors_ND: Tensor, corpus: Corpus, split: Split) -> QueryBank:
    """Draw the predictions that hubness is measured by; none for items."""
    if corpus.kind == "items":
        return QueryBank.empty(vectors_ND.shape[1])
    return QueryBank.draw(vectors_ND, corpus, split.train)


def choose_score(
    vectors_ND: Tensor,
    corpus: Corpus,
    bank: QueryBank,
    group_N: Int64,
    suite: Suite,
    progress: Steps = ignore_steps,
) -> Score:
    """Measure the hubness of every row, and choose beta for each pool on validation.

    Items are scored by plain cosine: how often one occurs says more than how near it is
    to others, and training can learn that.

    Args:
        vectors_ND: the catalogue in the searched space.
        corpus: whose rows these are.
        bank: predictions at training positions.
        group_N: duplicate group of each row.
        suite: windows and pools of validation.
        progress: told after each block of the hubness, and after each pool.
    """
    if corpus.kind == "items":
        return Score.plain(len(vectors_ND))
    hubness_N = bank.hubness(
        vectors_ND,
        corpus.document_of_row,
        lambda done, total: progress(_HUBNESS_PERCENT * done // total, 100),
    )
    context_QTD = torch.from_numpy(suite.windows.contexts(vectors_ND.numpy()))
    length_Q = torch.from_numpy(suite.windows.lengths)
    prediction_QD = predict_in_blocks(
        _JUDGE.predict, context_QTD, length_Q, block=BLOCK
    )
    judge = Judge(vectors_ND, group_N, suite, Score(hubness=hubness_N, curves={}))
    curves = {}
    for done, (name, ranker) in enumerate(judge.rankers.items(), start=1):
        ranks = ranker.ranks_at(prediction_QD, BETAS)
        hits = [hit_at_k(rank_Q, suite.k) for rank_Q in ranks]
        curves[name] = dict(zip(BETAS, hits, strict=True))
        rest = (100 - _HUBNESS_PERCENT) * done // len(judge.rankers)
        progress(_HUBNESS_PERCENT + rest, 100)
    return Score(hubness=hubness_N, curves=curves)


def _dump(score: Score) -> Mapping[str, bytes]:
    pairs = {pool: list(curve.items()) for pool, curve in score.curves.items()}
    return {
        HUBNESS: array_bytes(score.hubness.numpy()),
        SCORE: orjson.dumps(pairs, option=orjson.OPT_INDENT_2),
    }


def _load(folder: Path) -> Score:
    hubness_N = np.load(io.BytesIO((folder / HUBNESS).read_bytes()), allow_pickle=False)
    pairs: dict[PoolName, list[tuple[float, float]]] = read_json(folder / SCORE)
    return Score(
        hubness=torch.from_numpy(hubness_N),
        curves={
            pool: {float(beta): float(hit) for beta, hit in curve}
            for pool, curve in pairs.items()
        },
    )


KEPT_BANK: Final[Entry[QueryBank]] = Entry(
    files=(BANK,),
    dump=lambda bank: {BANK: bank.to_bytes()},
    load=lambda folder: QueryBank.from_bytes((folder / BANK).read_bytes()),
)

KEPT_SCORE: Final[Entry[Score]] = Entry(files=(HUBNESS, SCORE), dump=_dump, load=_load)
