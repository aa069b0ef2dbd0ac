"""The sequences and windows that another library needs, in one file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.duplicates import groups_of
from nextvec.training.corpus.split import Split
from nextvec.training.corpus.windows import Windows
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.pools import Pool, index_pool
from nextvec.training.evaluation.suite import build_suite
from nextvec.training.vectors import Int64

PARTS = ("validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Training sequences, and the windows on which every model is judged."""

    rows: Int64
    """Items of the training sequences one after the other."""

    offsets: Int64
    """Sequence ``s`` is ``rows[offsets[s]:offsets[s + 1]]``."""

    windows: dict[str, Windows]
    """By part; a target that training never saw is -1."""

    pool: Pool
    """The candidates: all N items."""

    excludes_context: bool
    """Whether the items of a window's context are no candidates for it."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as named arrays."""
        found: dict[str, np.ndarray] = {
            "rows": self.rows,
            "offsets": self.offsets,
            "num_items": np.array([self.pool.size]),
            "excludes_context": np.array([self.excludes_context]),
        }
        for part, windows in self.windows.items():
            found[f"{part}_context_rows"] = windows.context_rows
            found[f"{part}_lengths"] = windows.lengths
            found[f"{part}_target_rows"] = windows.target_rows
            found[f"{part}_documents"] = windows.documents
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all arrays, as 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, values in self.arrays().items():
            digest.update(f"{name} {values.shape} {values.dtype}\n".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write it as an ``.npz``."""
        np.savez_compressed(path, **self.arrays())  # type: ignore[arg-type]


def export_corpus(corpus: Corpus, split: Split) -> Export:
    """Collect the training sequences and both parts' windows.

    Raises:
        CorpusError: the corpus holds documents, or a part no window.
    """
    if corpus.kind != "items":
        msg = f"{corpus.card.name}: expected item sequences, got {corpus.kind}"
        raise CorpusError(msg)
    group_N = groups_of(corpus)
    suites = {part: build_suite(corpus, split, group_N, part) for part in PARTS}
    sequences = [corpus.known(document) for document in split.train.tolist()]
    lengths = [len(sequence) for sequence in sequences]
    return Export(
        rows=np.concatenate(sequences).astype(np.int64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        windows={part: suite.windows for part, suite in suites.items()},
        pool=index_pool(corpus),
        excludes_context=suites["validation"].excludes_context,
    )
