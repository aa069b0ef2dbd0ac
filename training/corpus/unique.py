"""Documents with the same content count once (evaluation protocol, rule 1)."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import Float32, Int64

UInt64 = NDArray[np.uint64]

DUPLICATE_SHARE: Final = 0.8
"""Two documents with this share of the smaller one's passages in common are one."""

_KEY_BYTES = 8
# 250,000 passages: the chance that any two different ones share a key is 2e-9.

_ROUNDING = 1e-9
# 0.8 * 5 must ask for 4 passages, not for 5 because of the last bit.


@dataclass(frozen=True, slots=True)
class UniqueDocuments:
    """Which documents stay."""

    kept: Int64
    """Numbers of the documents that stay, in their old order."""

    num_dropped: int
    """How many were left out as duplicates."""


def text_keys(passages: Iterable[str]) -> UInt64:
    """Key of each passage, equal for texts that differ in case and spacing only.

    Args:
        passages: texts.

    Returns:
        One number for each, shape ``(n,)``.
    """
    return _keys(" ".join(text.casefold().split()).encode() for text in passages)


def row_keys(vectors_ND: Float32) -> UInt64:
    """Key of each vector, equal for rows with equal bits.

    Args:
        vectors_ND: shape ``(n, D)``; minus zero counts as zero.

    Returns:
        One number for each row, shape ``(n,)``.
    """
    return _keys(row.tobytes() for row in vectors_ND + np.float32(0))


def _keys(contents: Iterable[bytes]) -> UInt64:
    digests = [hashlib.blake2b(c, digest_size=_KEY_BYTES).digest() for c in contents]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def unique_documents(
    keys: UInt64,
    lengths: Int64,
    *,
    share: float = DUPLICATE_SHARE,
    progress: Steps = ignore_steps,
) -> UniqueDocuments:
    """Find the documents whose content no longer document holds already.

    Documents are taken from the one with the most distinct passages down. One goes if
    a document that was kept holds at least ``share`` of its distinct passages; its own
    repetitions count once.

    Args:
        keys: key of each passage, document after document, shape ``(M,)``.
        lengths: number of passages of each document, each at least 1, shape ``(S,)``.
        share: fraction in (0, 1].
        progress: told after each document, of how many.

    Returns:
        Numbers of the kept documents and how many were dropped.

    Raises:
        ValueError: the lengths do not add up to the keys, or ``share`` out of range.

    Example:
        >>> keys = np.array([1, 2, 3, 2, 3, 9], dtype=np.uint64)
        >>> unique_documents(keys, np.array([3, 2, 1])).kept
        array([0, 2])
    """
    if int(lengths.sum()) != len(keys):
        msg = f"lengths add up to {int(lengths.sum())}, but there are {len(keys)} keys"
        raise ValueError(msg)
    if not 0.0 < share <= 1.0:
        msg = f"share must lie in (0, 1], got {share}"
        raise ValueError(msg)
    documents = [np.unique(part) for part in np.split(keys, np.cumsum(lengths)[:-1])]
    num_holders = _num_holders(documents)
    order = sorted(
        range(len(documents)), key=lambda d: (-len(documents[d]), -lengths[d], d)
    )
    holders: dict[int, list[int]] = defaultdict(list)
    kept: list[int] = []
    for done, document in enumerate(order):
        progress(done, len(order))
        own = documents[document]
        needed = int(np.ceil(share * len(own) - _ROUNDING))
        # A duplicate lacks at most len - needed keys, so it shows among the rarest
        # len - needed + 1 of them: common boilerplate is never looked up.
        rarest = np.argsort(num_holders[document], kind="stable")
        probes = own[rarest[: len(own) - needed + 1]]
        suspects = {other for key in probes.tolist() for other in holders[key]}
        if any(_num_common(own, documents[other]) >= needed for other in suspects):
            continue
        kept.append(document)
        for key in own.tolist():
            holders[key].append(document)
    progress(len(order), len(order))
    return UniqueDocuments(np.array(sorted(kept)), len(documents) - len(kept))


def _num_holders(documents: list[UInt64]) -> list[Int64]:
    """For each document: in how many documents each of its distinct keys occurs."""
    _, inverse, counts = np.unique(
        np.concatenate(documents), return_inverse=True, return_counts=True
    )
    ends = np.cumsum([len(own) for own in documents])
    return np.split(counts[inverse], ends[:-1])


def _num_common(one: UInt64, other: UInt64) -> int:
    found = np.searchsorted(other, one)
    return int((other[np.minimum(found, len(other) - 1)] == one).sum())
