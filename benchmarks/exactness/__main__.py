"""The same questions to every exact kind of index: ``python -m benchmarks.exactness``.

Half of the queries are random, over random rows of which a tenth are duplicates, so
that scores tie; the others are made of the vectors of a corpus, as predictions are.
Hubness has eight values, so that more scores tie. Any difference, of a row or of one
bit of a score, ends it with an error.

Queries come in chunks, each of a seed of its own: a run can be stopped by ``--minutes``
and gone on with by ``--first``, and its chunks are those of one long run. A million
queries take one core about 12 minutes over 8,000 rows and about two hours over 71,526,
nearly all of them the flat index's; ``--threads 2`` shares those among two cores.
"""

import argparse
import math
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
    tied: int = 0
    """Whose answer holds equal scores."""

    unproven: int = 0
    """Where the flat index had to answer."""

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"{self.asked:,} queries, {self.different:,} answered otherwise, "
            f"{self.tied:,} with equal scores, {self.unproven:,} without a proof at "
            "first, answered by the flat index"
        )


def main() -> None:
    """Ask, compare, and say how often."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=71_526)
    parser.add_argument("--corpus", type=Path, help="folder of a corpus of documents")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--chunk", type=int, default=10_000, help="queries of a chunk")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first chunk"
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no chunk after these"
    )
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    threadpool_limits(1, user_api="blas")
    set_index_threads(told.threads)
    kinds = {"random": _random_vectors(told.rows)}
    if told.corpus is not None:
        vectors = np.asarray(load_corpus(told.corpus).vectors[: told.rows])
        kinds["corpus"] = l2_normalize(vectors - vectors.mean(axis=0))
    tallies = {}
    for name, vectors in kinds.items():
        tallies[name] = Tally()
        asking = Asking(
            name=name,
            queries=told.queries // len(kinds),
            chunk=told.chunk,
            first=told.first,
            minutes=told.minutes / len(kinds),
        )
        _compare(vectors, asking, tallies[name])
    for name, tally in tallies.items():
        print(f"{name}, {len(kinds[name]):,} rows: {tally}")
    if any(tally.different for tally in tallies.values()):
        raise SystemExit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Which queries are asked of one kind of rows."""

    name: str
    queries: int
    chunk: int
    first: int
    minutes: float

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield the number of each chunk, and its queries."""
        for number, start in enumerate(range(0, self.queries, self.chunk)):
            yield self.first + number, min(self.chunk, self.queries - start)


def _random_vectors(num_rows: int) -> Float32:
    rng = np.random.default_rng(0)
    vectors = l2_normalize(rng.standard_normal((num_rows, _DIM), np.float32))
    copies = rng.integers(num_rows, size=(2, num_rows // 10))
    vectors[copies[0]] = vectors[copies[1]]
    return vectors


def _compare(vectors: Float32, asking: Asking, tally: Tally) -> None:
    num_rows, dim = vectors.shape
    # of few values: scores tie across rows
    steps = np.random.default_rng(1).integers(8, size=num_rows)
    rows = as_rows(vectors, np.array(steps / 40, np.float32))
    codes = Codes.of(rows, dim)
    flat, screened = (
        NeighborIndex(rows, searcher, dim=dim, kind="exact", fingerprint="")
        for searcher in (
            FlatSearcher(rows),
            ScreenedSearcher(rows, codes, least=1),
        )
    )
    began = time.perf_counter()
    for number, queries in asking.chunks():
        if time.perf_counter() - began > 60 * asking.minutes:
            print(f"{asking.name}: the time is over; go on with --first {number}")
            return
        rng = np.random.default_rng((2, number))
        for query_BD in _queries(vectors, queries, rng):
            k, beta = int(rng.choice(_KS)), float(rng.choice(_BETAS))
            _ask(flat, screened, query_BD, k, beta, tally)
        passed = time.perf_counter() - began
        left = passed * (asking.queries / tally.asked - 1)
        told = f"{asking.name}, chunk {number}: {tally} in {passed:.0f} s"
        print(f"{told}, {left:.0f} s to go", flush=True)


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
        tally.tied += bool((np.diff(expected.scores) == 0).any())
        tally.unproven += not found.scores[-1] > candidates.ceiling


def _first(
    index: NeighborIndex, query_BD: Float32, k: int, beta: float
) -> list[Candidates]:
    return index.candidates(query_BD, reach(k, k), [None] * len(query_BD), beta=beta)


if __name__ == "__main__":
    main()
