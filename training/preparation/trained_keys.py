"""Which vectors a run is trained on, for evaluation on another corpus."""

from pathlib import Path

import numpy as np

from nextvec.training.corpus.unique import UInt64, row_keys
from nextvec.training.files import array_bytes, write_bytes
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.run_folder import TRAINED


def keep_trained_keys(prepared: Preparation, folder: Path) -> None:
    """Write the keys of the training vectors into the folder of a run."""
    keys = row_keys(np.asarray(prepared.corpus.vectors[prepared.train_rows]))
    write_bytes(folder / TRAINED, array_bytes(keys))


def read_trained_keys(folder: Path) -> UInt64 | None:
    """Read what `keep_trained_keys` wrote; a bundle or a bare checkpoint has none."""
    try:
        return np.asarray(np.load(folder / TRAINED, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
