"""A few windows with their answers, to be read by people."""

from typing import Any, Final

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.models.prediction import Prediction
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.vectors import Float32, Int64

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
    prepared: Preparation, judge: Judge, prediction: Prediction, *, seed: int
) -> dict[str, Any]:
    """Choose hits and misses among the validation windows.

    In the primary pool of the corpus; a hit is a rank of at most K of the headline.
    Windows without a target vector are no examples.

    Args:
        prepared: of the run.
        judge: of the validation windows, in the space of the predictor.
        prediction: one for each validation window.
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
    ranker = judge.rankers[pool.name]
    is_hit_Q = ranker.ranks(prediction) <= suite.k
    can_be_shown_Q = suite.windows.target_rows >= 0
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for wanted_Q in (is_hit_Q, ~is_hit_Q & can_be_shown_Q):
        some = rng.permutation(np.flatnonzero(wanted_Q))[:NUM_EXAMPLES]
        chosen += np.sort(some).tolist()
    return {
        "pool": pool.name,
        "num_candidates": pool.size,
        "k": suite.k,
        "windows": [
            _example(prepared, query, *found)
            for query, found in zip(
                chosen, ranker.best_first(prediction[chosen], chosen), strict=True
            )
        ],
    }


def _example(
    prepared: Preparation, query: int, rows: Int64, scores: Float32
) -> dict[str, Any]:
    """Tell a window, and the first of all rows that compete for it, best first."""
    corpus, windows = prepared.corpus, prepared.suite.windows
    target, document = windows.target_rows[query], windows.documents[query]
    context = windows.context_rows[query, : windows.lengths[query]]
    sequence = corpus.sequence(int(document))
    return {
        "document": corpus.document_ids[document],
        "position": int(windows.positions[query]),
        "rank": 1 + int(np.argmax(rows == target)),
        "context": [_named(corpus, int(row)) for row in context[-CONTEXT_TAIL:]],
        "target": _named(corpus, int(target)),
        "neighbors": [
            _named(corpus, int(row))
            | {
                "score": round(float(score), 4),
                "is_target": bool(row == target),
                "is_same_document": bool(row in sequence),
            }
            for row, score in zip(rows[:NUM_ANSWERS], scores[:NUM_ANSWERS], strict=True)
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
