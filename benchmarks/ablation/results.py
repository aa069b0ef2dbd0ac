"""What one run leaves behind: figures of every epoch, and which windows were hits."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import orjson

from benchmarks.ablation.figures import MemoryFigures
from benchmarks.ablation.variants import StudyConfig, Variant
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.suite import PROTOCOL
from nextvec.training.files import read_json, write_json

_FORMAT: Final = 1
# Of these files and of the code that makes them; another number runs them all again.


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFigures:
    """What was measured after a pass over the training windows; 0 is before the first.

    The figures of training are means over the steps, with dropout, as the original's.
    """

    number: int
    train_loss: float | None
    train_cosine: float | None
    train_change_cosine: float | None
    """Of training windows; None for epoch 0."""

    cosine: float
    """Mean cosine to the target, validation windows."""

    change_cosine: float
    """Mean cosine of the said change with the true one."""

    change_alike: float
    """Mean cosine between the changes said for two windows; 1 if it is a constant."""

    prediction_alike: float
    """Mean cosine between the predictions for two windows."""

    hit5: dict[PoolName, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakFigures:
    """What comes of dealing windows out instead of documents."""

    num_train: int
    num_validation: int
    input_share: float
    """Share of its own validation targets that are inputs of training windows."""

    own_size: int
    """Candidates of the original's pool: the targets of these validation windows."""

    own_hit5: float
    own_copy_hit5: float
    """Hit@5 of the network and of copy-last in that pool."""

    targets_hit5: float | None
    targets_copy_hit5: float | None
    """The same with 1,148 candidates; None if the corpus is too small."""

    is_shared: str
    """The protocol's validation windows whose target is no target of training, as
    `pack_hits` writes booleans: on these both splits can be compared."""

    shared_input_share: float
    """Share of these whose target is an input of a training window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished run."""

    variant: Variant
    digest: str
    num_train_windows: int
    num_windows: int
    """Validation windows, Q."""

    epochs: tuple[EpochFigures, ...]
    hits: dict[PoolName, tuple[str, ...]]
    """Which windows were hits after each epoch, as `pack_hits` writes them; "index" has
    the last epoch only."""

    memory: MemoryFigures | None
    leak: LeakFigures | None
    seconds: float

    def hits_at(self, pool: PoolName, epoch: int) -> np.ndarray:
        """Return which windows were hits after an epoch; -1 is the last."""
        return unpack_hits(self.hits[pool][epoch], self.num_windows)

    def best_epoch(self, pool: PoolName, chosen: np.ndarray | None = None) -> int:
        """Return the trained epoch with the most hits, the first of equals.

        Args:
            pool: where to count.
            chosen: the windows to count, booleans; None counts all.
        """
        counts = [
            int(
                self.hits_at(pool, epoch.number)[
                    ... if chosen is None else chosen
                ].sum()
            )
            for epoch in self.epochs[1:]
        ]
        return 1 + int(np.argmax(counts))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"format": _FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            KeyError: a figure is missing.
            TypeError: there is one too many or too few.
            ValueError: the hits are not those of so many windows and epochs.
        """
        told = {name: value for name, value in plain.items() if name != "format"}
        memory, leak = told["memory"], told["leak"]
        told["variant"] = Variant(**told["variant"])
        told["epochs"] = tuple(EpochFigures(**epoch) for epoch in told["epochs"])
        told["memory"] = None if memory is None else MemoryFigures(**memory)
        told["leak"] = None if leak is None else LeakFigures(**leak)
        told["hits"] = {pool: tuple(packed) for pool, packed in told["hits"].items()}
        result = cls(**told)
        for pool, packed in result.hits.items():
            expected = 1 if pool == "index" else len(result.epochs)
            if len(packed) != expected:
                msg = f"expected hits of {expected} epochs in {pool}, got {len(packed)}"
                raise ValueError(msg)
            for one in packed:
                unpack_hits(one, result.num_windows)
        return result


def digest_of(corpus: Corpus, variant: Variant, config: StudyConfig) -> str:
    """Name everything that a result depends on, as 16 hexadecimal digits."""
    told = [_FORMAT, PROTOCOL, corpus.fingerprint, variant.to_dict(), config.to_dict()]
    return hashlib.sha256(orjson.dumps(told)).hexdigest()[:16]


def save_result(path: Path, result: Result) -> None:
    """Write a result, whole or not at all."""
    write_json(path, result.to_dict(), indent=False)


def load_result(path: Path, digest: str) -> Result | None:
    """Read a result; None if there is none, or it is damaged or of other options."""
    try:
        plain = read_json(path)
        if plain["format"] != _FORMAT or plain["digest"] != digest:
            return None
        return Result.from_dict(plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def pack_hits(hit_Q: np.ndarray | Sequence[bool]) -> str:
    """Write booleans as hexadecimal digits, four to a digit.

    Example:
        >>> pack_hits([True, False, True, False, True])
        'a8'
    """
    return np.packbits(np.asarray(hit_Q, dtype=bool)).tobytes().hex()


def unpack_hits(packed: str, number: int) -> np.ndarray:
    """Read what `pack_hits` wrote.

    Raises:
        ValueError: not the digits of ``number`` booleans.

    Example:
        >>> unpack_hits("a8", 5).tolist()
        [True, False, True, False, True]
    """
    octets = np.frombuffer(bytes.fromhex(packed), dtype=np.uint8)
    if len(octets) != -(-number // 8):
        msg = (
            f"expected {number} booleans in {-(-number // 8)} octets, got {len(octets)}"
        )
        raise ValueError(msg)
    return np.unpackbits(octets, count=number).astype(bool)
