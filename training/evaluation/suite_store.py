"""A suite on disk, so that a bundle can be validated again without its corpus."""

import zlib
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np

from nextvec.training.corpus.windows import Windows
from nextvec.training.errors import BundleError
from nextvec.training.evaluation.pools import POOLS, Pool
from nextvec.training.evaluation.suite import Suite

_DAMAGE = (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error)
# What NumPy raises for files that are missing, cut short or changed.

_WINDOW_FIELDS = ("context_rows", "lengths", "target_rows", "documents", "positions")


def save_suite(file: Path | BinaryIO, suite: Suite) -> None:
    """Write windows and pools as one compressed ``.npz``."""
    arrays = {f"windows.{n}": getattr(suite.windows, n) for n in _WINDOW_FIELDS}
    arrays["stride"] = np.array(suite.stride)
    arrays["num_leaked"] = np.array(suite.num_leaked)
    arrays["part"] = np.array(suite.part)
    arrays["kind"] = np.array(suite.kind)
    arrays["num_unseen"] = np.array(suite.num_unseen)
    if suite.repeat_share is not None:
        arrays["repeat_share"] = np.array(suite.repeat_share)
    for pool in suite.pools:
        arrays[f"pool.{pool.name}.rows"] = pool.rows
        if pool.members is not None:
            arrays[f"pool.{pool.name}.members"] = pool.members
    np.savez_compressed(file, allow_pickle=False, **arrays)


def load_suite(path: Path) -> Suite:
    """Read what `save_suite` wrote.

    Raises:
        BundleError: missing or damaged.
    """
    try:
        # NumPy leaves a damaged file open where it opened it itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Suite(
                part=str(arrays["part"]),
                stride=int(arrays["stride"]),
                windows=Windows(**{n: arrays[f"windows.{n}"] for n in _WINDOW_FIELDS}),
                num_leaked=int(arrays["num_leaked"]),
                kind="items" if str(arrays["kind"]) == "items" else "documents",
                num_unseen=int(arrays["num_unseen"]),
                repeat_share=float(arrays["repeat_share"])
                if "repeat_share" in arrays
                else None,
                pools=tuple(
                    Pool(
                        name=name,
                        rows=arrays[f"pool.{name}.rows"],
                        members=arrays.get(f"pool.{name}.members"),
                    )
                    for name in POOLS
                    if f"pool.{name}.rows" in arrays
                ),
            )
    except _DAMAGE as error:
        msg = f"{path}: the validation windows are damaged: {error}"
        raise BundleError(msg) from error
