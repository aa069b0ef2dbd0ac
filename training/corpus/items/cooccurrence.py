"""Item vectors from what occurs near what: positive PMI, factorized.

Levy & Goldberg 2014, https://papers.nips.cc/paper/5477: skip-gram with negative
sampling factorizes a matrix of pointwise mutual information. Levy, Goldberg & Dagan
2015, https://aclanthology.org/Q15-1016: rows of U times the square root of S serve
better than U times S.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import PositiveInt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds

from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Float32, Int64, l2_normalize

_MIN_LENGTH = 1e-6
# Of the longest row: below, an item lies outside what the factors span, and its
# direction is rounding.


def cooccurrence_vectors(
    sequences: Sequence[Int64],
    num_items: int,
    config: CooccurrenceConfig,
    *,
    source: str,
) -> tuple[Int64, Float32]:
    """Make a vector for every item that occurs near another.

    The same sequences give the same vectors on one machine.

    Args:
        sequences: items of each sequence in order, 0 to ``num_items - 1``; training
            sequences only, or the vectors know what is to be predicted.
        num_items: items there are; those that occur in none of these get no vector.
        config: window and length.
        source: what the sequences are called in a message.

    Returns:
        Items that have a vector, ascending, shape ``(N,)``, and their unit vectors,
        shape ``(N, D)``.

    Raises:
        CorpusError: too few items for vectors of that length.
    """
    ppmi_NN = positive_pmi(count_pairs(sequences, num_items, config.window))
    items = np.flatnonzero(np.diff(ppmi_NN.indptr))
    dim = config.dim
    if config.is_at_most and len(items) <= dim:
        dim = max(1, len(items) // 2)
    if len(items) <= dim:
        msg = (
            f"{source}: vectors of length {config.dim} need more than {config.dim} "
            f"items that occur near others in training sequences, found {len(items)}"
        )
        raise CorpusError(msg)
    factors_ND = _factorize(ppmi_NN[items][:, items], dim)
    length_N = np.linalg.norm(factors_ND, axis=1)
    has_direction_N = length_N > _MIN_LENGTH * length_N.max()
    return items[has_direction_N], l2_normalize(factors_ND[has_direction_N])


def count_pairs(
    sequences: Sequence[Int64], num_items: int, window: PositiveInt
) -> csr_array:
    """Count how often two items are at most ``window`` entries apart.

    Args:
        sequences: items of each sequence in order.
        num_items: items there are, N.
        window: greatest distance, at least 1.

    Returns:
        Symmetric counts, shape ``(N, N)``: a pair counts in both directions, an item
        that comes again soon is near itself.
    """
    items_M = np.concatenate(sequences)
    owner_M = np.repeat(np.arange(len(sequences)), [len(items) for items in sequences])
    longest = max(len(items) for items in sequences)
    total = csr_array((num_items, num_items), dtype=np.float64)
    for distance in range(1, min(window, longest - 1) + 1):
        same = owner_M[:-distance] == owner_M[distance:]
        pair = items_M[:-distance][same], items_M[distance:][same]
        ones = np.ones(len(pair[0]))
        total = total + coo_array((ones, pair), shape=total.shape).tocsr()
    return csr_array(total + total.T)


def positive_pmi(counts_NN: csr_array) -> csr_array:
    """Return ``max(0, log(p(i, j) / (p(i) p(j))))`` where a pair occurs, else 0.

    Args:
        counts_NN: symmetric counts of pairs, shape ``(N, N)``.

    Returns:
        Same shape, symmetric; no zeros are stored.
    """
    pairs = counts_NN.tocoo()
    count_N = counts_NN.sum(axis=1)
    row, column = pairs.coords
    expected = count_N[row] * count_N[column] / max(1.0, count_N.sum())
    ppmi_NN = coo_array(
        (np.maximum(np.log(pairs.data / expected), 0), pairs.coords), pairs.shape
    ).tocsr()
    ppmi_NN.eliminate_zeros()
    return ppmi_NN


def _factorize(matrix_NN: csr_array, dim: int) -> np.ndarray:
    """Rows of U times the square root of S, of the ``dim`` greatest factors."""
    # the seed is that of the start vector: the method is iterative
    u_ND, s_D, _ = svds(matrix_NN, k=dim, rng=np.random.default_rng(0))
    order = np.argsort(-s_D, kind="stable")
    u_ND, s_D = u_ND[:, order], s_D[order]
    # a factor and its negative are equally right: the greatest entry is positive
    greatest_D = np.take_along_axis(u_ND, np.abs(u_ND).argmax(axis=0)[None], axis=0)
    return np.asarray(u_ND * np.sign(greatest_D) * np.sqrt(s_D))
