"""A fitted closed form over ids in one file: arrays, and which of them is what."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_arrays
from scipy.sparse import csr_array

from nextvec.training.errors import CheckpointError
from nextvec.training.evaluation.item_baselines.aggregate_markov import AggregateMarkov
from nextvec.training.evaluation.item_baselines.kneser_ney import KneserNey, Level
from nextvec.training.evaluation.item_baselines.linear import ItemRegression
from nextvec.training.evaluation.item_baselines.neighborhood import Sequences
from nextvec.training.evaluation.item_baselines.neighbors import (
    SequenceNeighbors,
    SequenceTimeNeighbors,
)
from nextvec.training.evaluation.item_baselines.rules import Rules
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline

_KEY: Final = "item_baseline"

_CLASSES: Final = {
    one.__name__: one
    for one in (
        AggregateMarkov,
        ItemRegression,
        KneserNey,
        Level,
        Rules,
        SequenceNeighbors,
        SequenceTimeNeighbors,
        Sequences,
    )
}
# The only ones a file may name: a file from a stranger must not run code.

Arrays = dict[str, np.ndarray]


def baseline_bytes(baseline: ItemBaseline) -> bytes:
    """Serialize a fitted baseline as one safetensors file."""
    arrays: Arrays = {}
    told = _taken_apart(baseline, "", arrays)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save_arrays(whole, metadata={_KEY: orjson.dumps(told).decode()})


def load_baseline(path: Path) -> ItemBaseline:
    """Read what `baseline_bytes` made.

    Raises:
        CheckpointError: missing, damaged, or not a baseline.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            told = orjson.loads((file.metadata() or {})[_KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        found = _put_together(told, arrays)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: not a whole baseline of items: {error}"
        raise CheckpointError(msg) from error
    if not isinstance(found, ItemBaseline):
        msg = f"{path}: expected a baseline of items, got {type(found).__name__}"
        raise CheckpointError(msg)
    return found


def _taken_apart(value: object, name: str, arrays: Arrays) -> Any:  # noqa: ANN401 - JSON
    """Put the arrays of a value aside, and return the rest as JSON types."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, csr_array):
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(value, part)
        return {"sparse": name, "shape": list(value.shape)}
    if isinstance(value, tuple):
        parts = enumerate(value)
        return {"parts": [_taken_apart(v, f"{name}.{i}", arrays) for i, v in parts]}
    if is_dataclass(value):
        held = {
            field.name: _taken_apart(
                getattr(value, field.name), f"{name}.{field.name}", arrays
            )
            for field in fields(value)
        }
        return {"is": type(value).__name__, "holds": held}
    return value


def _put_together(told: Any, arrays: Arrays) -> Any:  # noqa: ANN401 - JSON
    """Undo `_taken_apart`."""
    if not isinstance(told, dict):
        return told
    if "array" in told:
        return arrays[told["array"]]
    if "sparse" in told:
        parts = [arrays[f"{told['sparse']}.{p}"] for p in ("data", "indices", "indptr")]
        return csr_array(tuple(parts), shape=tuple(told["shape"]))
    if "parts" in told:
        return tuple(_put_together(part, arrays) for part in told["parts"])
    held = {name: _put_together(one, arrays) for name, one in told["holds"].items()}
    return _CLASSES[told["is"]](**held)
