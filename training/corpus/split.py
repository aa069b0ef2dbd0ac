"""Documents go to training, validation or test as a whole, before any window is cut."""

import hashlib
from dataclasses import dataclass

import numpy as np

from training.corpus.corpus import Corpus
from training.errors import CorpusError
from training.vectors import CONTEXT_LENGTH, Int64

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """How documents are dealt out."""

    seed: int = 0
    """Seed of the shuffle."""

    validation: float = 0.15
    """Share of the documents for validation, in (0, 1)."""

    test: float = 0.25
    """Share of the documents for test, in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse shares that leave a part empty."""
        if self.seed < 0:
            msg = f"seed must be at least 0, got {self.seed}"
            raise ValueError(msg)
        # not "<= 0": NaN must not pass
        if not (self.validation > 0 and self.test > 0):
            msg = f"shares must be above 0, got {self.validation} and {self.test}"
            raise ValueError(msg)
        if self.validation + self.test >= 1:
            msg = f"shares leave no training: {self.validation} + {self.test}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Numbers of the documents in each part."""

    train: Int64
    validation: Int64
    test: Int64

    def part(self, name: str) -> Int64:
        """Documents of the part of that name."""
        if name not in PARTS:
            msg = f"part must be one of {PARTS}, got {name!r}"
            raise ValueError(msg)
        part: Int64 = getattr(self, name)
        return part

    def fingerprint(self, corpus: Corpus) -> str:
        """SHA-256 over which document is where, as 64 hexadecimal digits."""
        digest = hashlib.sha256(corpus.fingerprint.encode())
        for name in PARTS:
            ids = "\0".join(corpus.document_ids[int(d)] for d in self.part(name))
            digest.update(f"{name}\n{ids}\n".encode())
        return digest.hexdigest()


def split_documents(corpus: Corpus, config: SplitConfig) -> Split:
    """Deal the documents out, so that long ones reach every part.

    Documents long enough for a full window and shorter ones are shuffled and cut
    apart from each other (evaluation protocol, rule 2).

    Raises:
        CorpusError: fewer than three documents are long enough for a full window.
    """
    is_long = corpus.lengths > CONTEXT_LENGTH
    if is_long.sum() < 3:
        msg = (
            f"{corpus.card.name}: {int(is_long.sum())} documents have more than "
            f"{CONTEXT_LENGTH} vectors, expected at least 3 (one in each part)"
        )
        raise CorpusError(msg)
    rng = np.random.default_rng(config.seed)
    parts: dict[str, list[Int64]] = {name: [] for name in PARTS}
    for documents in (np.flatnonzero(is_long), np.flatnonzero(~is_long)):
        shuffled = rng.permutation(documents)
        # at least one long document each: a part without a window measures nothing
        least = 1 if is_long[documents].any() else 0
        num_validation = max(least, round(config.validation * len(shuffled)))
        num_test = max(least, round(config.test * len(shuffled)))
        # large shares of few documents, rounded up, must leave one to train on
        while num_validation + num_test > len(shuffled) - least:
            if num_validation > num_test:
                num_validation -= 1
            else:
                num_test -= 1
        cuts = [num_validation, num_validation + num_test]
        validation, test, train = np.split(shuffled, cuts)
        parts["validation"].append(validation)
        parts["test"].append(test)
        parts["train"].append(train)
    return Split(**{n: np.sort(np.concatenate(docs)) for n, docs in parts.items()})
