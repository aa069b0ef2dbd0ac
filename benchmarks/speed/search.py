"""What a search costs alone and among 32, by kind of index; in a process of its own."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.bundle.index import INDEX_KINDS, NeighborIndex
from nextvec.app.inference.neighbors import find_neighbors, reach
from nextvec.training.vectors import Float32, l2_normalize

SHAPES: Final = ((71_526, 256), (100_000, 768))
THREADS: Final = (1, 2)
COUNTS: Final = (1, 2, 4, 8, 16, 32)
_K: Final = 10
_LENGTH: Final = 100
_DOCUMENT: Final = 200
_BETA: Final = 0.5
_REPEATS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFigures:
    """What the ten neighbors of a prediction take, its context of 100 left out."""

    num_rows: int
    dim: int
    threads: int

    files_mib: dict[str, float] = field(default_factory=dict)
    """Size of what each kind of index reads, by kind."""

    milliseconds: dict[str, dict[int, float]] = field(default_factory=dict)
    """Median of each kind, by the number of predictions at once."""

    processor_ms: dict[str, dict[int, float]] = field(default_factory=dict)
    """The same of the time of processors: what is left of a busy machine's noise."""

    def share(self, kind: str, alone: str) -> float:
        """Return what 32 at once take, over 32 times one alone of another kind."""
        taken = self.milliseconds
        return taken[kind][COUNTS[-1]] / (COUNTS[-1] * taken[alone][1])


def measure_search(num_rows: int, dim: int, threads: int) -> SearchFigures:
    """Search in a new process, so that its threads are what it was told."""
    told = (f"--rows={num_rows}", f"--dim={dim}", f"--threads={threads}")
    command = [sys.executable, "-m", "benchmarks.speed.search", *told]
    # as the image has it: else the threads of one library spin while the other works
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(  # noqa: S603 - ourselves
        command, check=True, capture_output=True, text=True, env=environment
    )
    figures = SearchFigures(**json.loads(done.stdout))
    for taken in (*figures.milliseconds.values(), *figures.processor_ms.values()):
        for count in list(taken):
            taken[int(count)] = taken.pop(count)
    return figures


def main() -> None:
    """Search synthetic documents, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=SHAPES[0][0])
    parser.add_argument("--dim", type=int, default=SHAPES[0][1])
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    # as the service does
    torch.set_num_threads(told.threads)
    threadpool_limits(1, user_api="blas")
    set_index_threads(told.threads)
    figures = SearchFigures(num_rows=told.rows, dim=told.dim, threads=told.threads)
    with tempfile.TemporaryDirectory() as scratch:
        indices = {}
        for kind in INDEX_KINDS:
            folder = Path(scratch) / kind
            folder.mkdir()
            _save(kind, told.rows, told.dim, folder)
            sizes = [path.stat().st_size for path in folder.iterdir()]
            figures.files_mib[kind] = sum(sizes) / 2**20
            indices[kind] = NeighborIndex.load(
                folder, dim=told.dim, kind=kind, fingerprint="synthetic"
            )
        _measure(indices, figures)
    print(json.dumps(asdict(figures)))


def _save(kind: str, num_rows: int, dim: int, folder: Path) -> None:
    """Write an index of documents that wander, each vector near the one before."""
    rng = np.random.default_rng(0)
    documents = -(-num_rows // _DOCUMENT)
    rows = rng.standard_normal((documents, _DOCUMENT, dim), np.float32)
    for place in range(1, _DOCUMENT):
        rows[:, place] += 0.8 * rows[:, place - 1]
    vectors = l2_normalize(rows.reshape(-1, dim)[:num_rows])
    hubness = rng.uniform(0, 0.2, num_rows).astype(np.float32)
    made = NeighborIndex.build(vectors, hubness, kind=kind, fingerprint="synthetic")
    made.save(folder)


def _measure(indices: dict[str, NeighborIndex], figures: SearchFigures) -> None:
    vectors = next(iter(indices.values())).vectors
    # inside of documents
    document = np.random.default_rng(1).integers(len(vectors) // _DOCUMENT, size=32)
    ends = document * _DOCUMENT + _LENGTH
    contexts = [vectors[end - _LENGTH : end] for end in ends]
    weights = 0.6 ** np.arange(8, dtype=np.float32)
    newest_BWD = np.stack([vectors[end - 8 : end][::-1] for end in ends])
    prediction_BD = l2_normalize(np.einsum("w,bwd->bd", weights, newest_BWD))

    def asker(index: NeighborIndex, count: int) -> Callable[[], list[list[int]]]:
        return lambda: _neighbors(index, prediction_BD[:count], contexts)

    ways = {
        (kind, count): asker(index, count)
        for kind, index in indices.items()
        for count in COUNTS
    }
    answers = [ways[kind, COUNTS[-1]]() for kind in indices]
    if any(answer != answers[0] for answer in answers):
        msg = f"the kinds {', '.join(indices)} find other neighbors"
        raise AssertionError(msg)
    passed: dict[tuple[str, int], list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(_REPEATS):
        # in turn, so that a slow moment of the machine meets all of them
        for way, ask in ways.items():
            began, spent = time.perf_counter(), time.process_time()
            ask()
            passed[way].append(
                (time.perf_counter() - began, time.process_time() - spent)
            )
    for (kind, count), taken in passed.items():
        wall, processor = 1000 * np.median(taken, axis=0)
        figures.milliseconds.setdefault(kind, {})[count] = float(wall)
        figures.processor_ms.setdefault(kind, {})[count] = float(processor)


def _neighbors(
    index: NeighborIndex, prediction_BD: Float32, contexts: list[Float32]
) -> list[list[int]]:
    """Answer a batch as the engine does."""
    count = len(prediction_BD)
    first = index.candidates(
        prediction_BD, reach(_K, _LENGTH), [None] * count, beta=_BETA
    )
    return [
        find_neighbors(
            index,
            prediction_D,
            _K,
            context_TD=context,
            beta=_BETA,
            first=candidates,
        ).rows.tolist()
        for prediction_D, context, candidates in zip(
            prediction_BD, contexts[:count], first, strict=True
        )
    ]


if __name__ == "__main__":
    main()
