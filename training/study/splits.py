"""Which splits a study is about: one, or several of the same item sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSplit:
    """A corpus, and how it is split."""

    corpus: Corpus

    folder: Path
    """Where the corpus lies."""

    seed: int | None
    """Seed of the split; None leaves it to the recipe."""


def splits_of(
    corpora: Mapping[Path, Corpus], split_seeds: Sequence[int] | None
) -> list[CorpusSplit]:
    """Return all splits that are asked for.

    Vectors made for a split leave no choice; others can be split by any seed.

    Args:
        corpora: at least one, by their folders.
        split_seeds: seeds for vectors that were made for no split.

    Raises:
        TrainingError: vectors of another split, two splits of one seed, or several
            that are not of the same item sequences.
    """
    found = [
        CorpusSplit(corpus=corpus, folder=folder, seed=seed)
        for folder, corpus in corpora.items()
        for seed in _seeds(corpus, split_seeds)
    ]
    if len(found) > 1:
        _require_different(found)
        _require_same_sequences(found)
    return found


def _seeds(corpus: Corpus, asked: Sequence[int] | None) -> Sequence[int | None]:
    made_for = corpus.card.vectors_split
    if made_for is None:
        return list(dict.fromkeys(asked)) if asked else [None]
    seed = int(made_for["seed"])
    if asked and set(asked) != {seed}:
        msg = (
            f"{corpus.card.name}: its vectors were made for split seed {seed}, got "
            f"{', '.join(map(str, asked))}: make a corpus for each, and name them all"
        )
        raise TrainingError(msg)
    return [seed]


def _require_different(splits: Sequence[CorpusSplit]) -> None:
    seeds = [split.seed for split in splits]
    if None in seeds or len(set(seeds)) < len(seeds):
        told = ", ".join(
            "the recipe's" if seed is None else str(seed) for seed in seeds
        )
        msg = f"expected corpora of different split seeds to pool, got {told}"
        raise TrainingError(msg)


def _require_same_sequences(splits: Sequence[CorpusSplit]) -> None:
    first = splits[0].corpus
    for corpus in (split.corpus for split in splits):
        if corpus.kind != "items":
            msg = f"{corpus.card.name}: expected item sequences to pool, got documents"
            raise TrainingError(msg)
        if list(corpus.document_ids) != list(first.document_ids) or not np.array_equal(
            corpus.offsets, first.offsets
        ):
            msg = (
                f"{corpus.card.name} and {first.card.name}: expected the same "
                "sequences, with vectors made for different splits"
            )
            raise TrainingError(msg)
