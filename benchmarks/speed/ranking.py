"""How fast targets are ranked, and in how much memory; in a process of its own."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.ranking import Ranker

NUM_QUERIES: Final = 3000
NUM_CANDIDATES: Final = 250_000
DIM: Final = 256
REPEATS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingFigures:
    """What one ranking of all targets takes."""

    seconds: list[float]
    """Of each repeat: ranks without and with the context."""

    data_mib: float
    """Highest resident memory before, candidates included."""

    peak_mib: float
    """Highest resident memory."""


def measure_ranking() -> RankingFigures:
    """Rank in a new process, so that the peak is its own."""
    command = [sys.executable, "-m", "benchmarks.speed.ranking"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    return RankingFigures(**json.loads(done.stdout))


def main() -> None:
    """Rank synthetic targets, and print the figures as JSON."""
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    vectors_ND = torch.randn(NUM_CANDIDATES, DIM, generator=generator)
    # in place: a second copy would stand in the peak
    vectors_ND /= vectors_ND.norm(dim=1, keepdim=True)
    # consecutive rows: a target that returned would be no candidate
    first = rng.integers(NUM_CANDIDATES, size=(NUM_QUERIES, 1))
    rows = (first + np.arange(101)) % NUM_CANDIDATES
    windows = Windows(
        context_rows=rows[:, :100],
        lengths=np.full(NUM_QUERIES, 100),
        target_rows=rows[:, 100],
        documents=np.arange(NUM_QUERIES),
        positions=np.full(NUM_QUERIES, 100),
    )
    pool = Pool(name="index", rows=np.arange(NUM_CANDIDATES))
    before = _peak_mib()
    ranker = Ranker(vectors_ND, np.arange(NUM_CANDIDATES), windows, pool)
    prediction_QD = vectors_ND[torch.from_numpy(rows[:, 100])]
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        rank_Q, _ = ranker.ranks_and_included(prediction_QD)
        seconds.append(time.perf_counter() - began)
    if not (rank_Q == 1).all():
        msg = "a target is its own nearest candidate"
        raise AssertionError(msg)
    print(json.dumps({"seconds": seconds, "data_mib": before, "peak_mib": _peak_mib()}))


def _peak_mib() -> float:
    # not getrusage, which starts from the peak of the process that started this one
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
