"""A few windows with their answers, to be read by people."""

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from training.corpus.corpus import Corpus
from training.evaluation.pools import Pool
from training.preparation.preparation import Preparation
from training.vectors import Float32

NUM_EXAMPLES: Final = 3
"""Hits and misses each, if there are so many."""

NUM_ANSWERS: Final = 5
"""Best answers that are shown."""

CONTEXT_TAIL: Final = 3
"""Newest vectors of each context that are shown."""

MAX_TEXT: Final = 200
"""Characters of a text: six examples are 54 texts, some 11,000 characters. The card is
copied into every bundle, and ``/info`` answers with it."""


def choose_examples(
    prepared: Preparation, prediction_QD: Tensor, *, seed: int
) -> dict[str, Any]:
    """Choose hits and misses among the validation windows.

    In the primary pool of the corpus; a hit is a rank of at most K of the headline.
    Windows without a target vector are no examples.

    Args:
        prepared: of the run.
        prediction_QD: one prediction for each validation window, in the searched
            space.
        seed: seed of the choice.

    Returns:
        Plain JSON types: ``pool``, ``num_candidates``, ``k``, and ``windows``, hits
        first. Each has ``document``, ``position`` of the target, ``rank``, the newest
        of the ``context`` (oldest first), the ``target``, and the ``neighbors``, best
        first, with ``score``, ``is_target`` and ``is_same_document``. Where the corpus
        has texts, every one of them has a ``text`` of at most `MAX_TEXT` characters.
    """
    suite = prepared.suite
    pool = suite.pool(suite.primary)
    is_hit_Q = prepared.judge.rankers[pool.name].ranks(prediction_QD) <= suite.k
    can_be_shown_Q = suite.windows.target_rows >= 0
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for wanted_Q in (is_hit_Q, ~is_hit_Q & can_be_shown_Q):
        some = rng.permutation(np.flatnonzero(wanted_Q))[:NUM_EXAMPLES]
        chosen += np.sort(some).tolist()
    candidate_CD = prepared.vectors_ND[torch.from_numpy(pool.rows)]
    score_EC = prediction_QD[chosen].cpu() @ candidate_CD.T
    return {
        "pool": pool.name,
        "num_candidates": pool.size,
        "k": suite.k,
        "windows": [
            _example(prepared, pool, query, score_C)
            for query, score_C in zip(chosen, score_EC.numpy(), strict=True)
        ],
    }


def _example(
    prepared: Preparation, pool: Pool, query: int, score_C: Float32
) -> dict[str, Any]:
    corpus, windows = prepared.corpus, prepared.suite.windows
    target, document = windows.target_rows[query], windows.documents[query]
    context = windows.context_rows[query, : windows.lengths[query]]
    # as in Ranker: neither the context nor the target's like are candidates, and ties
    # count against the target
    group_C = prepared.group_N[pool.rows]
    is_target_C = pool.rows == target
    is_out_C = group_C == prepared.group_N[target]
    if prepared.suite.excludes_context:
        is_out_C |= np.isin(pool.rows, context)
    open_C = np.flatnonzero(~is_out_C | is_target_C)
    order = np.lexsort((is_target_C[open_C], -score_C[open_C]))
    ranked = open_C[order]
    sequence = corpus.sequence(int(document))
    return {
        "document": corpus.document_ids[document],
        "position": int(windows.positions[query]),
        "rank": 1 + int(np.argmax(is_target_C[ranked])),
        "context": [_named(corpus, int(row)) for row in context[-CONTEXT_TAIL:]],
        "target": _named(corpus, int(target)),
        "neighbors": [
            _named(corpus, int(pool.rows[place]))
            | {
                "score": round(float(score_C[place]), 4),
                "is_target": bool(is_target_C[place]),
                "is_same_document": bool(pool.rows[place] in sequence),
            }
            for place in ranked[:NUM_ANSWERS]
        ],
    }


def _named(corpus: Corpus, row: int) -> dict[str, Any]:
    if corpus.texts is None:
        return {"id": corpus.ids[row]}
    return {"id": corpus.ids[row], "text": shorten(corpus.texts[row])}


def shorten(text: str) -> str:
    r"""Return a text on one line, cut to `MAX_TEXT` characters.

    Example:
        >>> shorten(" two\n  lines ")
        'two lines'
    """
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1].rstrip()}…"
