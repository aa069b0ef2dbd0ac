"""What every source of a corpus hands over: documents, their vectors still to come."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextvec.training.corpus.unique import UInt64
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Int64

Progress = Callable[[str, int, int], None]
"""Called with a stage in plain words, how much of it is done, and of how much."""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Take progress and show nothing."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Documents before duplicates are dropped; the vectors are read when needed."""

    name: str
    """File or folder they come from, for messages."""

    document_ids: Sequence[str]
    """Unique name of each document, S of them."""

    lengths: Int64
    """Number of entries of each document, shape ``(S,)``."""

    keys: UInt64
    """Key of each entry's content, shape ``(M,)``; see `unique`."""

    dim: int
    """Length D of a vector."""

    read: Callable[[int, int], NDArray[np.floating]]
    """Entries ``start`` to ``stop`` as checked vectors, shape ``(stop - start, D)``."""

    ids: Sequence[str] | None = None
    """Unique name of each entry; None names them by document and position."""

    texts: Sequence[str] | None = None
    """Text of each entry, where there are any."""

    notes: Mapping[str, int] = field(default_factory=dict)
    """What was left out before, for the card: counts by reason."""


def combine(found: Sequence[Parts]) -> Parts:
    """Put the documents of several files one after the other.

    Args:
        found: what each file holds, at least one.

    Raises:
        CorpusError: a document in two files, texts or ids in some files only.
        VectorError: files of different D.
    """
    if len(found) == 1:
        return found[0]
    _check_together(found)
    stops = np.cumsum([len(parts.keys) for parts in found])

    def read(start: int, stop: int) -> NDArray[np.floating]:
        blocks = []
        for parts, end in zip(found, stops.tolist(), strict=True):
            begin = end - len(parts.keys)
            inside = max(start, begin), min(stop, end)
            if inside[0] < inside[1]:
                blocks.append(parts.read(inside[0] - begin, inside[1] - begin))
        return np.concatenate(blocks)

    return Parts(
        name=", ".join(parts.name for parts in found),
        document_ids=_chain(parts.document_ids for parts in found),
        lengths=np.concatenate([parts.lengths for parts in found]),
        keys=np.concatenate([parts.keys for parts in found]),
        dim=found[0].dim,
        read=read,
        texts=_chain_optional([parts.texts for parts in found]),
        ids=_chain_optional([parts.ids for parts in found]),
    )


def _chain(names: Iterable[Sequence[str]]) -> list[str]:
    return [name for part in names for name in part]


def _chain_optional(names: Sequence[Sequence[str] | None]) -> list[str] | None:
    given = [part for part in names if part is not None]
    return _chain(given) if given else None


def _check_together(found: Sequence[Parts]) -> None:
    first = found[0]
    origin: dict[str, str] = {}
    for parts in found:
        if parts.dim != first.dim:
            msg = (
                f"{parts.name}: expected vectors of length {first.dim} as in "
                f"{first.name}, got {parts.dim}"
            )
            raise VectorError(msg)
        for what, here, there in (
            ("texts", parts.texts, first.texts),
            ("ids", parts.ids, first.ids),
        ):
            if (here is None) != (there is None):
                msg = f"{parts.name}: expected {what} in all files or in none"
                raise CorpusError(msg)
        for name in parts.document_ids:
            if name in origin:
                msg = (
                    f"{parts.name}: document {name!r} is in {origin[name]} too, "
                    f"expected each document in one file"
                )
                raise CorpusError(msg)
            origin[name] = parts.name
