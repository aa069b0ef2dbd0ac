"""The service under load against the same engine in this process, in one run.

One client and 32 clients, octets, against single queries and batches of 32 of the
engine alone. Rounds take turns, since others use the machine.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import torch
from threadpoolctl import threadpool_limits

from benchmarks.speed.clients import ask, post
from benchmarks.speed.section import Goal, Section, table
from benchmarks.speed.service import running
from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry
from nextvec.training.vectors import CONTEXT_LENGTH, Float32

CLIENTS: Final = 32
K: Final = 10
"""Neighbors of every answer."""

_NUM_CONTEXTS: Final = 200
_MOST_SLOWER: Final = 1.15
_LEAST_SHARE: Final = 0.85


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What each round measured."""

    engine_ms: list[float] = field(default_factory=list)
    """Of one query in this process, the better number of threads; a median."""

    engine_per_s: list[float] = field(default_factory=list)
    """Queries a second in batches of 32, here too the better number of threads."""

    service_ms: list[float] = field(default_factory=list)
    """Of one request by one client; a median."""

    service_per_s: list[float] = field(default_factory=list)
    """Requests a second by 32 clients."""


def main() -> None:
    """Measure, and print the figures and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, default=Path("artifacts/bundles"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    told = parser.parse_args()
    live = Registry(told.bundles).live()
    figures = measure_load(live, rounds=told.rounds, seconds=told.seconds)
    print("\n".join(load_section(figures, live.name).lines))


def measure_load(bundle: Path, *, rounds: int, seconds: float) -> LoadFigures:
    """Measure a bundle in this process and behind the service.

    Args:
        bundle: its folder; it goes live.
        rounds: how often each is measured.
        seconds: how long 32 clients ask in each round.
    """
    threadpool_limits(1, user_api="blas")
    engine = open_engine(bundle)
    Registry(bundle.parent).make_live(engine.bundle)
    contexts = contexts_in(engine)
    bodies = [octets_request(context) for context in contexts]
    figures = LoadFigures()
    with running(bundle.parent) as (port, _, _):
        # so that no first request is measured
        ask(port, bodies, clients=CLIENTS, seconds=1.0)
        for _ in range(rounds):
            one, many = zip(*of_engine(engine, contexts), strict=True)
            figures.engine_ms.append(min(one))
            figures.engine_per_s.append(max(many))
            alone = ask(port, bodies, clients=1, seconds=seconds / 3)
            figures.service_ms.append(float(np.median(alone)))
            took = ask(port, bodies, clients=CLIENTS, seconds=seconds)
            figures.service_per_s.append(len(took) / seconds)
    return figures


def load_section(figures: LoadFigures, shape: str) -> Section:
    """Report the figures: medians of rounds, and of the ratios of each round."""
    slower = float(np.median(np.divide(figures.service_ms, figures.engine_ms)))
    share = float(np.median(np.divide(figures.service_per_s, figures.engine_per_s)))
    goals = (
        Goal(
            what=f"p50 of one client over the engine alone, {shape}",
            found=slower,
            most=_MOST_SLOWER,
        ),
        Goal(
            what=f"rate of {CLIENTS} clients over the engine's in batches, {shape}",
            found=share,
            least=_LEAST_SHARE,
        ),
    )
    heads = ("engine alone", "service, octets", "ratio", "goal")
    rows = (
        (
            "p50 of one, ms",
            f"{np.median(figures.engine_ms):.1f}",
            f"{np.median(figures.service_ms):.1f}",
            f"{slower:.2f}",
            goals[0].wanted,
        ),
        (
            f"by {CLIENTS} at once, a second",
            f"{np.median(figures.engine_per_s):.0f}",
            f"{np.median(figures.service_per_s):.0f}",
            f"{share:.2f}",
            goals[1].wanted,
        ),
    )
    title = f"## Service under load, beside the engine alone, {shape}"
    first = f"rounds: {len(figures.service_ms)}"
    return Section([title, "", *table((first, *heads), rows), ""], goals)


def contexts_in(engine: Engine) -> list[Float32]:
    """Return contexts of full length: rows in order, from anywhere in the index."""
    vectors = engine.bundle.index.vectors
    starts = np.random.default_rng(0).integers(
        0, len(vectors) - CONTEXT_LENGTH, _NUM_CONTEXTS
    )
    rows = (np.array(vectors[s : s + CONTEXT_LENGTH]) for s in starts.tolist())
    return [engine.bundle.checkpoint.transform.invert(row) for row in rows]


def octets_request(context: Float32) -> bytes:
    """Return a whole request for what comes after a context, as octets."""
    body = np.ascontiguousarray(context, "<f4").tobytes()
    return post(f"/predict?k={K}", body, "application/octet-stream")


def of_engine(engine: Engine, contexts: list[Float32]) -> Iterator[tuple[float, float]]:
    """Yield milliseconds of one query and queries a second, by number of threads."""
    queries = [Query(engine=engine, context=c, k=K) for c in contexts]
    for threads in range(1, (psutil.cpu_count() or 1) + 1):
        with _threads(threads):
            alone = [_seconds(engine, [query]) for query in queries[:40]]
            together = [
                _seconds(engine, queries[start : start + CLIENTS])
                for start in range(0, 3 * CLIENTS, CLIENTS)
            ]
        yield 1000 * float(np.median(alone)), CLIENTS / float(np.median(together))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch and the index use so many threads; torch as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    set_index_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(engine: Engine, queries: list[Query]) -> float:
    started = time.perf_counter()
    engine.run(queries)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
