"""Vectors of one's own: .npz in two layouts, .npy with document lengths.

docs/corpus.md has the fields. Everything is checked before anything is written, and
read in blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nextvec.training.corpus.parts import Parts, Progress, combine, ignore_progress
from nextvec.training.corpus.unique import UInt64, row_keys
from nextvec.training.corpus.vectors.arrays import (
    Array,
    open_npy,
    open_npz,
    read_lengths,
    read_names,
)
from nextvec.training.corpus.vectors.imported_windows import (
    Windows,
    check_windows,
    each_window,
    join_windows,
    refuse_shared,
)
from nextvec.training.errors import CorpusError, VectorError
from nextvec.training.vectors import Int64, check_vectors, l2_normalize

LENGTH_SUFFIXES: Final = (".lengths.npy", ".lengths.txt", ".lengths.json")
"""What follows a .npy file's stem in the name of its document lengths."""

_FIELDS = (
    "context_sequences",
    "target_vectors",
    "vectors",
    "chain_ids",
    "document_ids",
    "texts",
    "ids",
)
_BLOCK = 4096
# Rows checked at a time: 12 MiB at D = 768.


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in files of vectors."""

    parts: Parts
    """Documents and how to read their vectors."""

    windows_declared_independent: bool
    """True if windows without chain ids were taken on the user's word."""


def read_vectors(
    files: Sequence[Path],
    scratch: Path,
    *,
    lengths: Path | None = None,
    windows_independent: bool = False,
    progress: Progress = ignore_progress,
) -> Imported:
    """Read and check files of vectors.

    Args:
        files: .npz and .npy files; a document lies in one file.
        scratch: folder for unpacked arrays; it must outlive what is returned.
        lengths: document lengths of a single .npy; None looks beside each .npy for
            its name with one of `LENGTH_SUFFIXES`.
        windows_independent: take windows without chain ids, each as a document.
        progress: told after each block.

    Raises:
        CorpusError: missing, damaged, ids that do not match, windows without chain ids,
            or files that do not go together.
        VectorError: vectors that are unusable; names file, row and expectation.
    """
    if lengths is not None and len(files) != 1:
        msg = (
            f"{lengths}: one file of lengths goes with one .npy, got {len(files)} files"
        )
        raise CorpusError(msg)
    found = []
    independent = False
    for file in files:
        if file.suffix == ".npy":
            found.append(_read_npy(file, lengths, progress))
        elif file.suffix == ".npz":
            arrays = open_npz(file, _FIELDS, scratch)
            if "vectors" in arrays:
                found.append(_read_flat(file, arrays, progress))
            else:
                independent = independent or "chain_ids" not in arrays
                found.append(
                    _read_windows(
                        file, arrays, progress, independent=windows_independent
                    )
                )
        else:
            msg = f"{file}: expected a .npz or .npy file"
            raise CorpusError(msg)
    return Imported(combine(found), independent)


def lengths_beside(file: Path) -> Path | None:
    """Find the document lengths of an .npy that lie beside it; None if none do."""
    if file.suffix != ".npy":
        return None
    beside = [file.with_name(file.stem + suffix) for suffix in LENGTH_SUFFIXES]
    return next((path for path in beside if path.exists()), None)


def _read_npy(file: Path, lengths: Path | None, progress: Progress) -> Parts:
    vectors = open_npy(file)
    keys = _check_rows(vectors, str(file), progress)
    lengths = lengths or lengths_beside(file)
    if lengths is None:
        beside = [file.stem + suffix for suffix in LENGTH_SUFFIXES]
        msg = (
            f"{file}: expected its document lengths in "
            f"{' or '.join(beside)} beside it, found none"
        )
        raise CorpusError(msg)
    found = read_lengths(lengths, len(vectors))
    names = [f"{file.stem}-{number:06d}" for number in range(len(found))]
    return _flat_parts(file, vectors, keys, names, found)


def _read_flat(file: Path, arrays: dict[str, Array], progress: Progress) -> Parts:
    given = [name for name in ("document_ids", "chain_ids") if name in arrays]
    if len(given) != 1:
        msg = (
            f"{file}: expected document_ids or chain_ids beside vectors, "
            f"found {' and '.join(given) or 'neither'}"
        )
        raise CorpusError(msg)
    vectors = arrays["vectors"]
    keys = _check_rows(vectors, f"{file}: vectors", progress)
    count = len(vectors)
    where = f"{file}: {given[0]}"
    names, lengths = _runs(read_names(arrays[given[0]], count, where), where)
    texts, ids = (
        read_names(arrays[name], count, f"{file}: {name}") if name in arrays else None
        for name in ("texts", "ids")
    )
    return _flat_parts(file, vectors, keys, names, lengths, texts=texts, ids=ids)


def _flat_parts(
    file: Path,
    vectors: Array,
    keys: UInt64,
    names: list[str],
    lengths: Int64,
    *,
    texts: list[str] | None = None,
    ids: list[str] | None = None,
) -> Parts:
    return Parts(
        name=str(file),
        document_ids=names,
        lengths=lengths,
        keys=keys,
        dim=vectors.shape[1],
        read=lambda start, stop: np.asarray(vectors[start:stop]),
        texts=texts,
        ids=ids,
    )


def _read_windows(
    file: Path, arrays: dict[str, Array], progress: Progress, *, independent: bool
) -> Parts:
    for name in ("context_sequences", "target_vectors"):
        if name not in arrays:
            msg = (
                f"{file}: expected context_sequences and target_vectors, or vectors "
                f"with document_ids; found {', '.join(sorted(arrays)) or 'none'}"
            )
            raise CorpusError(msg)
    if "chain_ids" not in arrays and not independent:
        msg = (
            f"{file}: expected chain_ids beside the windows: without them, windows of "
            f"one document can end up in training and in evaluation; if no two windows "
            f"share a document, declare them independent"
        )
        raise CorpusError(msg)
    windows = Windows(str(file), arrays["context_sequences"], arrays["target_vectors"])
    keys_NL = check_windows(windows, progress)
    if "chain_ids" in arrays:
        chains = read_names(arrays["chain_ids"], len(keys_NL), f"{file}: chain_ids")
        joined = join_windows(keys_NL, chains, str(file))
    else:
        joined = each_window(len(keys_NL), windows.length, file.stem)
    keys = keys_NL.reshape(-1)[joined.entries]
    refuse_shared(keys, joined, str(file))
    return Parts(
        name=str(file),
        document_ids=joined.document_ids,
        lengths=joined.lengths,
        keys=keys,
        dim=windows.targets.shape[1],
        read=lambda start, stop: windows.entries(joined.entries[start:stop]),
    )


def _check_rows(vectors: Array, source: str, progress: Progress) -> UInt64:
    """Check all vectors in blocks, and return their keys."""
    if vectors.ndim != 2 or 0 in vectors.shape:
        msg = f"{source}: expected shape (n, D), neither of them 0, got {vectors.shape}"
        raise VectorError(msg)
    keys = []
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK])
        check_vectors(block, source=source, first_row=start)
        keys.append(row_keys(l2_normalize(block)))
        progress("checking vectors", start + len(block), len(vectors))
    return np.concatenate(keys)


def _runs(names: list[str], source: str) -> tuple[list[str], Int64]:
    """Names of the documents and their lengths, from the name of each row."""
    if "" in names:
        msg = f"{source}: row {names.index('')} has an empty name, expected one"
        raise CorpusError(msg)
    starts = [
        row for row, name in enumerate(names) if row == 0 or name != names[row - 1]
    ]
    seen: dict[str, int] = {}
    for start in starts:
        if names[start] in seen:
            msg = (
                f"{source}: row {start} is of document {names[start]!r} again, which "
                f"began at row {seen[names[start]]}: expected the rows of a document "
                f"one after the other"
            )
            raise CorpusError(msg)
        seen[names[start]] = start
    return list(seen), np.diff([*starts, len(names)])
