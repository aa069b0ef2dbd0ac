"""Windows cut by somebody else, joined to the sequences that they were cut from.

A split by document needs whole documents. Windows of one chain that stayed apart could
go to training and to evaluation, with the same vectors in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextvec.training.corpus.parts import Progress
from nextvec.training.corpus.unique import UInt64, row_keys
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import CONTEXT_LENGTH, Int64, check_vectors, l2_normalize

MAX_SHARED: Final = 0.05
"""Share of vectors that different chains may have in common: boilerplate, not overlap.
As much as evaluation allows of leaked windows."""

_BLOCK = 64
# Windows checked at a time: 19 MiB at T = 100 and D = 768.


@dataclass(frozen=True, slots=True)
class Windows:
    """Contexts and their targets, as they lie in a file."""

    source: str
    """Name of the file, for messages."""

    contexts: NDArray[Any]
    """Shape ``(n, T, D)``; may be memory-mapped."""

    targets: NDArray[Any]
    """Shape ``(n, D)``; may be memory-mapped."""

    @property
    def length(self) -> int:
        """Vectors of a window: its context and the target, T + 1."""
        return int(self.contexts.shape[1]) + 1

    def entries(self, entries: Int64) -> NDArray[np.floating]:
        """Gather vectors; entry ``w * length + p`` is position p of window w."""
        window_n, position_n = np.divmod(entries, self.length)
        is_target = position_n == self.length - 1
        found_nD = np.empty((len(entries), self.targets.shape[1]), np.float64)
        inside = ~is_target
        found_nD[inside] = self.contexts[window_n[inside], position_n[inside]]
        found_nD[is_target] = self.targets[window_n[is_target]]
        return found_nD


@dataclass(frozen=True, slots=True)
class Joined:
    """Documents made of windows."""

    document_ids: list[str]
    """Name of each document, S of them."""

    lengths: Int64
    """Entries of each document, shape ``(S,)``."""

    entries: Int64
    """Which vector of which window each entry is (`Windows.entries`)."""


def check_windows(windows: Windows, progress: Progress) -> UInt64:
    """Check every vector, and return the key of each.

    Args:
        windows: what was found in a file.
        progress: told after each block.

    Returns:
        Keys of the normalized vectors, shape ``(n, T + 1)``.

    Raises:
        VectorError: wrong rank, dtype, D or number, or a vector that is unusable; names
            array, window and position.
    """
    _check_shapes(windows)
    count = len(windows.contexts)
    keys_NL = np.empty((count, windows.length), dtype=np.uint64)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        targets = np.asarray(windows.targets[start:stop])
        where = f"{windows.source}: target_vectors"
        check_vectors(targets, source=where, first_row=start)
        keys_NL[start:stop, -1] = row_keys(l2_normalize(targets))
        for window in range(start, stop):
            context = np.asarray(windows.contexts[window])
            check_vectors(
                context, source=f"{windows.source}: context_sequences[{window}]"
            )
            keys_NL[window, :-1] = row_keys(l2_normalize(context))
        progress("checking vectors", stop, count)
    return keys_NL


def _check_shapes(windows: Windows) -> None:
    shape = windows.contexts.shape
    where = f"{windows.source}: context_sequences"
    if len(shape) != 3 or 0 in shape:
        msg = f"{where}: expected shape (n, T, D), none of them 0, got {shape}"
        raise VectorError(msg)
    if shape[1] > CONTEXT_LENGTH:
        msg = f"{where}: expected contexts of at most {CONTEXT_LENGTH}, got {shape[1]}"
        raise VectorError(msg)
    if windows.targets.shape != (shape[0], shape[2]):
        msg = (
            f"{windows.source}: target_vectors: expected shape {(shape[0], shape[2])} "
            f"to go with context_sequences, got {windows.targets.shape}"
        )
        raise VectorError(msg)
    if windows.contexts.dtype.kind != "f":
        msg = f"{where}: expected a float dtype, got {windows.contexts.dtype}"
        raise VectorError(msg)


def each_window(num_windows: int, length: int, prefix: str) -> Joined:
    """Make each window a document of its own."""
    return Joined(
        document_ids=[f"{prefix}-{window:06d}" for window in range(num_windows)],
        lengths=np.full(num_windows, length),
        entries=np.arange(num_windows * length),
    )


def join_windows(keys_NL: UInt64, chain_ids: Sequence[str], source: str) -> Joined:
    """Join the windows of each chain where one goes on in the next.

    Windows of a chain come in order, with any stride up to T, which may change. A
    window equal to the one before it adds nothing.

    Args:
        keys_NL: key of each vector of each window, shape ``(n, T + 1)``.
        chain_ids: chain of each window, n of them.
        source: name of the file, for messages.

    Returns:
        One document for each chain, in the order of their first windows.

    Raises:
        CorpusError: a window shares no vectors with the one before it.
    """
    chains: dict[str, list[int]] = {}
    for window, chain in enumerate(chain_ids):
        chains.setdefault(chain, []).append(window)
    length = keys_NL.shape[1]
    lengths, entries = [], []
    for chain, members in chains.items():
        found = [np.arange(length) + members[0] * length]
        for before, window in pairwise(members):
            stride = _stride(keys_NL[before], keys_NL[window])
            if stride is None:
                msg = (
                    f"{source}: window {window} does not go on from window {before} of "
                    f"the same chain {chain!r}: expected them to overlap, found no "
                    f"common vectors; a split could tear such a chain apart, so give "
                    f"the whole sequence in the flat layout (vectors, document_ids)"
                )
                raise CorpusError(msg)
            found.append(np.arange(length - stride, length) + window * length)
        entries += found
        lengths.append(sum(len(part) for part in found))
    return Joined(list(chains), np.array(lengths), np.concatenate(entries))


def refuse_shared(keys: UInt64, joined: Joined, source: str) -> None:
    """Refuse documents that share vectors: they are pieces of one.

    Overlapping windows under ids of their own are the leak that this project grew
    out of, and whether windows are independent can be seen.

    Args:
        keys: key of each entry, in the order of ``joined``.
        joined: which entries make which document.
        source: name of the file, for messages.

    Raises:
        CorpusError: more than `MAX_SHARED` of the entries occur in another document;
            names two documents.
    """
    owner = np.repeat(np.arange(len(joined.lengths)), joined.lengths)
    order = np.lexsort((owner, keys))
    key, document = keys[order], owner[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    ends = np.r_[starts[1:], len(key)]
    # sorted by document within a key: more than one if first and last differ
    is_shared = document[starts] != document[ends - 1]
    share = (ends - starts)[is_shared].sum() / len(keys)
    if share <= MAX_SHARED:
        return
    first = int(np.flatnonzero(is_shared)[0])
    one, other = document[starts[first]], document[ends[first] - 1]
    msg = (
        f"{source}: {share:.0%} of the vectors occur in two windows that should share "
        f"no document, for example {joined.document_ids[one]!r} and "
        f"{joined.document_ids[other]!r}: expected at most {MAX_SHARED:.0%}; give "
        f"windows of one document one chain id"
    )
    raise CorpusError(msg)


def _stride(before: UInt64, after: UInt64) -> int | None:
    """By how much ``after`` lies later, None if they do not overlap."""
    for stride in np.flatnonzero(before == after[0]):
        if np.array_equal(before[stride:], after[: len(after) - stride]):
            return int(stride)
    return None
