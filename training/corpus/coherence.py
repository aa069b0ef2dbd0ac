"""How closely a document's vectors follow each other; filters whole documents only.

Every pair of neighbours of a document counts the same. No target is looked at on its
own, so the filter cannot choose documents whose windows are easy to predict.
"""

import numpy as np
from numpy.typing import NDArray

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.vectors import Int64

_BLOCK = 1 << 14
# Entries read at a time: 16 MiB at D = 256, so a memory-mapped corpus stays on disk.


def document_coherence(corpus: Corpus) -> NDArray[np.float64]:
    """Mean cosine of neighboring vectors, for each document.

    Args:
        corpus: any; left unchanged.

    Returns:
        Shape ``(S,)``, each in [-1, 1]; NaN for a document of one entry.
    """
    count = len(corpus.rows)
    cosine_M = np.zeros(count)
    for start in range(0, count, _BLOCK):
        # one entry more: the last one's neighbor is in the next block
        vectors = corpus.vectors[corpus.rows[start : start + _BLOCK + 1]]
        pairs = np.einsum("nd,nd->n", vectors[:-1], vectors[1:], dtype=np.float64)
        cosine_M[start : start + len(pairs)] = pairs
    cosine_M[corpus.offsets[1:] - 1] = 0.0  # the last entry has no neighbor inside
    sums = np.add.reduceat(cosine_M, corpus.offsets[:-1])
    num_pairs = corpus.lengths - 1
    coherence_S = np.full(len(sums), np.nan)
    np.divide(sums, num_pairs, out=coherence_S, where=num_pairs > 0)
    return coherence_S


def mean_coherence(corpus: Corpus, documents: Int64 | None = None) -> float | None:
    """Mean cosine over all pairs of neighbors; reported, never a gate.

    Args:
        corpus: any; left unchanged.
        documents: numbers of the documents to look at; None takes all.

    Returns:
        A number in [-1, 1]; None if no document has two entries.
    """
    chosen = np.arange(len(corpus.document_ids)) if documents is None else documents
    num_pairs = corpus.lengths[chosen] - 1
    if not num_pairs.any():
        return None
    sums = np.nan_to_num(document_coherence(corpus)[chosen]) * num_pairs
    return float(sums.sum() / num_pairs.sum())


def coherent_documents(corpus: Corpus, min_coherence: float) -> Int64:
    """Numbers of the documents whose coherence is at least a threshold.

    Args:
        corpus: any; left unchanged.
        min_coherence: cosine in [-1, 1].

    Returns:
        Numbers of documents in order, for `Corpus.select`. A document of one entry
        has nothing to be judged by and stays.

    Raises:
        ValueError: threshold out of range.
    """
    if not -1.0 <= min_coherence <= 1.0:
        msg = f"min_coherence is a cosine in [-1, 1], got {min_coherence}"
        raise ValueError(msg)
    coherence_S = document_coherence(corpus)
    return np.flatnonzero(np.isnan(coherence_S) | (coherence_S >= min_coherence))
