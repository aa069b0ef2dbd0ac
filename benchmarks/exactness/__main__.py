"""The same questions to every exact kind of index: ``python -m benchmarks.exactness``.

Half of the queries are random, over random rows of which a tenth are duplicates; the
others are made of the vectors of a corpus, as predictions are. Any difference, of a row
or of one bit of a score, ends it with an error. A million queries over 71,526 rows take
about four hours on one core, nearly all of them the flat index's.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from nextvec.app.bundle.codes import Codes
from nextvec.app.bundle.flat import FlatSearcher, set_index_threads
from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.bundle.screened import ScreenedSearcher
from nextvec.app.bundle.searcher import Candidates
from nextvec.app.bundle.vectors import as_rows
from nextvec.app.inference.neighbors import find_neighbors, reach
from nextvec.training.corpus.store import load_corpus
from nextvec.training.vectors import Float32, l2_normalize

_BATCH: Final = 32
_DIM: Final = 256
_KS: Final = (1, 10, 100)
_BETAS: Final = (0.0, 0.3, 1.0)


@dataclass(slots=True)
class Tally:
    """What came of the queries."""

    asked: int = 0
    different: int = 0
    unproven: int = 0
    """Where the flat index had to answer."""


def main() -> None:
    """Ask, compare, and say how often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=71_526)
    parser.add_argument("--corpus", type=Path, help="Folder of a corpus of documents.")
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    threadpool_limits(1, user_api="blas")
    set_index_threads(told.threads)
    kinds = {"random": _random_vectors(told.rows)}
    if told.corpus is not None:
        vectors = np.asarray(load_corpus(told.corpus).vectors[: told.rows])
        kinds["corpus"] = l2_normalize(vectors - vectors.mean(axis=0))
    tallies = {
        name: _compare(vectors, told.queries // len(kinds))
        for name, vectors in kinds.items()
    }
    for name, tally in tallies.items():
        print(
            f"{name}: {tally.asked:,} queries, {tally.different} answered otherwise, "
            f"{tally.unproven} without a proof at first"
        )
    if any(tally.different for tally in tallies.values()):
        raise SystemExit(1)


def _random_vectors(num_rows: int) -> Float32:
    rng = np.random.default_rng(0)
    vectors = l2_normalize(rng.standard_normal((num_rows, _DIM), np.float32))
    copies = rng.integers(num_rows, size=(2, num_rows // 10))
    vectors[copies[0]] = vectors[copies[1]]
    return vectors


def _compare(vectors: Float32, num_queries: int) -> Tally:
    rng = np.random.default_rng(1)
    num_rows, dim = vectors.shape
    # of few values: scores tie across rows
    hubness: Float32 = np.array(rng.integers(8, size=num_rows) / 40, np.float32)
    rows = as_rows(vectors, hubness)
    codes = Codes.of(rows, dim)
    flat, screened = (
        NeighborIndex(rows, searcher, dim=dim, kind="exact", fingerprint="")
        for searcher in (
            FlatSearcher(rows),
            ScreenedSearcher(rows, codes, least=1),
        )
    )
    tally, began = Tally(), time.perf_counter()
    for query_BD in _queries(vectors, num_queries, rng):
        k, beta = int(rng.choice(_KS)), float(rng.choice(_BETAS))
        _ask(flat, screened, query_BD, k, beta, tally)
        if tally.asked % (100 * _BATCH) == 0:
            passed = time.perf_counter() - began
            print(f"{tally.asked:,} asked in {passed:.0f} s", flush=True)
    return tally


def _queries(
    vectors: Float32, number: int, rng: np.random.Generator
) -> Iterator[Float32]:
    """Yield batches of queries: mixtures of a few neighboring rows, and some noise."""
    for start in range(0, number, _BATCH):
        count = min(_BATCH, number - start)
        rows = rng.integers(len(vectors) - 8, size=count)[:, None] + np.arange(8)
        weights = rng.exponential(size=(count, 8)) * (rng.random((count, 8)) < 0.5)
        mixed = np.einsum("bw,bwd->bd", weights, vectors[rows])
        noise = rng.standard_normal(mixed.shape) / np.sqrt(mixed.shape[1])
        yield l2_normalize(mixed + rng.uniform(0, 1, size=(count, 1)) * noise)


def _ask(
    flat: NeighborIndex,
    screened: NeighborIndex,
    query_BD: Float32,
    k: int,
    beta: float,
    tally: Tally,
) -> None:
    first = [_first(index, query_BD, k, beta) for index in (flat, screened)]
    for query_D, judged, candidates in zip(query_BD, *first, strict=True):
        expected, found = (
            find_neighbors(index, query_D, k, beta=beta, first=given)
            for index, given in ((flat, judged), (screened, candidates))
        )
        tally.asked += 1
        tally.different += (
            found.rows.tolist() != expected.rows.tolist()
            or found.scores.tobytes() != expected.scores.tobytes()
        )
        tally.unproven += not found.scores[-1] > candidates.ceiling


def _first(
    index: NeighborIndex, query_BD: Float32, k: int, beta: float
) -> list[Candidates]:
    return index.candidates(query_BD, reach(k, k), [None] * len(query_BD), beta=beta)


if __name__ == "__main__":
    main()
