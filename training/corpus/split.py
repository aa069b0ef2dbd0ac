"""Documents go to training, validation or test as a whole, before any window is cut."""

import hashlib
from dataclasses import dataclass

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.windows import min_context
from nextvec.training.errors import CorpusError
from nextvec.training.vectors import Int64

PARTS = ("train", "validation", "test")


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

    Raises:
        CorpusError: fewer than three are long enough for a window.
    """
    return split_lengths(
        corpus.lengths,
        config,
        longest_short=min_context(corpus.kind),
        source=corpus.card.name,
        families=corpus.families,
    )


def split_lengths(
    lengths: Int64,
    config: SplitConfig,
    *,
    longest_short: int,
    source: str,
    families: Int64 | None = None,
) -> Split:
    """Deal sequences out by their lengths alone, before there are vectors.

    Those long enough for a window and shorter ones are shuffled and cut apart from each
    other (evaluation protocol, rule 2).

    Args:
        lengths: entries of each sequence, shape ``(S,)``.
        config: seed and shares.
        longest_short: entries of the longest sequence that holds no window.
        source: what the sequences are called in a message.
        families: family of each sequence, shape ``(S,)``: a family goes to one part
            as a whole, and counts as long if one of it is; None: each is alone.

    Raises:
        CorpusError: fewer than three sequences or families are long enough for a
            window.
    """
    is_long = lengths > longest_short
    if is_long.sum() < len(PARTS):
        msg = (
            f"{source}: {int(is_long.sum())} documents or sequences have more than "
            f"{longest_short} entries, expected at least 3 (one in each part)"
        )
        raise CorpusError(msg)
    rng = np.random.default_rng(config.seed)
    if families is not None:
        return _split_families(families, is_long, config, rng, source)
    parts: dict[str, list[Int64]] = {name: [] for name in PARTS}
    for documents in (np.flatnonzero(is_long), np.flatnonzero(~is_long)):
        dealt = _deal(rng.permutation(documents), config, is_long=is_long)
        for name, part in zip(("validation", "test", "train"), dealt, strict=True):
            parts[name].append(part)
    return Split(**{n: np.sort(np.concatenate(docs)) for n, docs in parts.items()})


def _deal(shuffled: Int64, config: SplitConfig, *, is_long: np.ndarray) -> list[Int64]:
    """Cut shuffled documents into validation, test and training."""
    # at least one long document each: a part without a window measures nothing
    least = 1 if is_long[shuffled].any() else 0
    num_validation = max(least, round(config.validation * len(shuffled)))
    num_test = max(least, round(config.test * len(shuffled)))
    # large shares of few documents, rounded up, must leave one to train on
    while num_validation + num_test > len(shuffled) - least:
        if num_validation > num_test:
            num_validation -= 1
        else:
            num_test -= 1
    return np.split(shuffled, [num_validation, num_validation + num_test])


def _split_families(
    families: Int64,
    is_long: np.ndarray,
    config: SplitConfig,
    rng: np.random.Generator,
    source: str,
) -> Split:
    """Deal whole families out, so that each part gets its share of the sequences."""
    names, family_S, size_F = np.unique(
        families, return_inverse=True, return_counts=True
    )
    is_long_F = np.isin(names, families[is_long])
    if is_long_F.sum() < len(PARTS):
        msg = (
            f"{source}: {int(is_long_F.sum())} families have a document or sequence "
            f"that is long enough, expected at least {len(PARTS)} (one in each part)"
        )
        raise CorpusError(msg)
    part_F = np.empty(len(names), dtype=np.int64)
    for is_dealt_F, least in ((is_long_F, 1), (~is_long_F, 0)):
        shuffled = rng.permutation(np.flatnonzero(is_dealt_F))
        cuts = _family_cuts(size_F[shuffled], config, least)
        part_F[shuffled] = np.searchsorted(cuts, np.arange(len(shuffled)), "right")
    part_S = part_F[family_S]
    validation, test, train = (np.flatnonzero(part_S == part) for part in range(3))
    return Split(train=train, validation=validation, test=test)


def _family_cuts(sizes: Int64, config: SplitConfig, least: int) -> tuple[int, int]:
    """Where validation and test end among shuffled families, ``least`` in each part."""
    ends = np.concatenate([[0], np.cumsum(sizes)])
    total = ends[-1]
    validation = _nearest(
        ends, config.validation * total, least, len(sizes) - 2 * least
    )
    test = ends[validation] + config.test * total
    return validation, _nearest(ends, test, validation + least, len(sizes) - least)


def _nearest(ends: Int64, wanted: float, least: int, most: int) -> int:
    """Number of families, within bounds, that hold nearest to a number of sequences."""
    return least + int(np.abs(ends[least : most + 1] - wanted).argmin())
