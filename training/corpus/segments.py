"""Training sequences: documents cut into stretches of at most 101 rows."""

import math
from collections.abc import Iterator

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.vectors import CONTEXT_LENGTH, Int64


def cut_segments(
    corpus: Corpus,
    documents: Int64,
    *,
    context_length: int = CONTEXT_LENGTH,
    rng: np.random.Generator | None = None,
) -> Int64:
    """Cut documents into stretches whose every row but the first is a target once.

    Args:
        corpus: where the documents are.
        documents: their numbers; those with a single vector have nothing to predict.
        context_length: longest context, T.
        rng: moves the cuts of each document by a random offset, so that a row is met
            with other lengths of context in other epochs; None cuts from the start.

    Returns:
        Rows of each stretch, padded at the end with -1; shape ``(n, T + 1)``.
    """
    stretches: list[Int64] = []
    for document in documents.tolist():
        sequence = corpus.known(document)
        first = 0
        if rng is not None and len(sequence) > context_length + 1:
            first = -int(rng.integers(context_length))
        stretches += [
            sequence[max(0, start) : start + context_length + 1]
            for start in range(first, len(sequence) - 1, context_length)
        ]
    rows = np.full((len(stretches), context_length + 1), -1, dtype=np.int64)
    for row, piece in zip(rows, stretches, strict=True):
        row[: len(piece)] = piece
    return rows


def batches(segments: Int64, size: int, rng: np.random.Generator) -> Iterator[Int64]:
    """Yield shuffled batches of at most ``size`` stretches, cut to their longest.

    Stretches of like length are put together: a batch is as wide as its longest, and
    most documents are short.
    """
    lengths = (segments >= 0).sum(axis=1)
    # equal lengths in random order, and the noise mixes neighbouring lengths
    order = np.argsort(lengths + rng.uniform(0, 10, len(lengths)))
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    for number in rng.permutation(len(groups)):
        batch = segments[groups[number]]
        yield batch[:, : int(lengths[groups[number]].max())]


def epoch_batches(
    corpus: Corpus, documents: Int64, size: int, rng: np.random.Generator
) -> Iterator[tuple[Int64, int, int]]:
    """Yield the batches of an epoch, cut anew, and how far it has come with each.

    Args:
        corpus: where the documents are.
        documents: their numbers.
        size: most stretches of a batch.
        rng: moves the cuts, and mixes.
    """
    segments = cut_segments(corpus, documents, rng=rng)
    total = math.ceil(len(segments) / size)
    for done, rows in enumerate(batches(segments, size, rng), start=1):
        yield rows, done, total
