"""Rows that are one thing: groups of near-identical vectors."""

import itertools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import DUPLICATE_COSINE, Float32, Int64

_FILTER_DIM = 12
# Components kept for the search. Measured on 100,000 static embeddings (D = 256):
# 8 let through many false pairs, 16 slow the tree down; the result is the same.


_SLABS = 20
# Rows are searched in this many slabs along the widest component, so that it can be
# told how far the search is. Of 60,000 static embeddings the same pairs in 4.7 s
# instead of 7.1: many small trees, though their edges are searched twice.

_MARGIN = 1.001
# Of a slab's edge, so that no pair is lost by rounding.


def groups_of(corpus: Corpus, progress: Steps = ignore_steps) -> Int64:
    """Number the groups of a corpus's rows that are one thing.

    Args:
        corpus: of documents or items.
        progress: told as by `duplicate_groups`.

    Returns:
        The group of each row, shape ``(N,)``.
    """
    if corpus.kind == "items":
        # two items are two things, however alike their vectors
        return np.arange(len(corpus.vectors))
    return duplicate_groups(np.asarray(corpus.vectors), progress=progress)


def duplicate_groups(
    vectors: Float32,
    cosine: float = DUPLICATE_COSINE,
    *,
    progress: Steps = ignore_steps,
) -> Int64:
    """Number the groups of rows whose cosine is above a threshold.

    Exact, not approximate: a projection never makes two points farther apart, so a
    tree over the leading principal components finds every pair, and false pairs are
    taken out with the whole vectors. Groups are the connected components.

    Args:
        vectors: unit rows, shape ``(N, D)``; left unchanged.
        cosine: rows above it are duplicates, in (0, 1).
        progress: told how many distinct rows were searched, and of how many.

    Returns:
        The group of each row, shape ``(N,)``; rows alone have a group of their own.

    Example:
        >>> rows = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
        >>> duplicate_groups(rows).tolist()
        [0, 1, 0]
    """
    # Thousands of rows can be one and the same (boilerplate): pairs of these would
    # grow with the square, so equal bytes are joined first.
    as_bytes = np.ascontiguousarray(vectors).view(f"V{vectors.shape[1] * 4}").ravel()
    _, first, unique_of_row = np.unique(
        as_bytes, return_index=True, return_inverse=True
    )
    points = np.asarray(vectors[first])
    radius = float(np.sqrt(2 - 2 * cosine))
    pairs = _near_pairs(_leading_components(points), radius, progress)
    # in blocks: the pairs of a large corpus can be many times its rows
    near = np.concatenate(
        [
            np.einsum("pd,pd->p", points[block[:, 0]], points[block[:, 1]]) > cosine
            for block in np.array_split(pairs, len(pairs) // 100_000 + 1)
        ]
    )
    left, right = pairs[near].T
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(points),) * 2)
    _, group_of_unique = connected_components(graph, directed=False)
    groups = group_of_unique[unique_of_row]
    # numbered in the order in which they first occur
    _, first_row, numbered = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_row))
    return np.asarray(rank[numbered], dtype=np.int64)


def _near_pairs(points: Float32, radius: float, progress: Steps) -> Int64:
    """Return the pairs of points at most ``radius`` apart, shape ``(P, 2)``."""
    # the last is the widest; two that are near differ by no more along it
    along = points[:, -1].astype(np.float64)
    order = np.argsort(along, kind="stable")
    along, found = along[order], [np.empty((0, 2), dtype=np.int64)]
    starts = np.linspace(0, len(points), _SLABS + 1, dtype=np.int64)
    for start, end in itertools.pairwise(starts.tolist()):
        if start == end:
            continue
        reach = along[end - 1] + radius * _MARGIN
        stop = int(np.searchsorted(along, reach, side="right"))
        tree = KDTree(points[order[start:stop]])
        pairs = tree.query_pairs(radius, output_type="ndarray")
        # the first of a pair is the lower one: beyond the slab it is the next one's
        found.append(order[start + pairs[pairs[:, 0] < end - start]])
        progress(end, len(points))
    return np.concatenate(found)


def _leading_components(points: Float32) -> Float32:
    if points.shape[1] <= _FILTER_DIM:
        return points
    sample = points[:: max(1, len(points) // 20_000)]
    centered = sample - sample.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    return np.asarray(points @ axes[:, -_FILTER_DIM:], dtype=np.float32)
