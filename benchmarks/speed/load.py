"""The service under load against the same engine in this process, in one run.

One client and 32 clients, octets, against single queries and batches of 32 of the
engine alone. Rounds take turns, since others use the machine.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import torch
from threadpoolctl import threadpool_limits

from benchmarks.speed.service import running
from nextvec.app.bundle.flat import set_index_threads
from nextvec.app.inference.engine import Engine, Query
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry
from nextvec.training.vectors import CONTEXT_LENGTH, Float32

CLIENTS: Final = 32
_K: Final = 10
_NUM_CONTEXTS: Final = 200


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
    figures = measure_load(told.bundles, rounds=told.rounds, seconds=told.seconds)
    for line in load_section(figures):
        print(line)


def measure_load(bundles: Path, *, rounds: int, seconds: float) -> LoadFigures:
    """Measure the live bundle in this process and behind the service.

    Args:
        bundles: folder with a live bundle.
        rounds: how often each is measured.
        seconds: how long 32 clients ask in each round.
    """
    threadpool_limits(1, user_api="blas")
    engine = open_engine(Registry(bundles).live())
    contexts = _contexts(engine)
    bodies = [_request(context) for context in contexts]
    figures = LoadFigures()
    with running(bundles) as (port, _, _):
        # so that no first request is measured
        asyncio.run(_ask(port, bodies, clients=CLIENTS, seconds=1.0))
        for _ in range(rounds):
            one, many = zip(*_of_engine(engine, contexts), strict=True)
            figures.engine_ms.append(min(one))
            figures.engine_per_s.append(max(many))
            alone = asyncio.run(_ask(port, bodies, clients=1, seconds=seconds / 3))
            figures.service_ms.append(float(np.median(alone)))
            took = asyncio.run(_ask(port, bodies, clients=CLIENTS, seconds=seconds))
            figures.service_per_s.append(len(took) / seconds)
    return figures


def load_section(figures: LoadFigures) -> Iterator[str]:
    """Write the figures: medians of rounds, and of the ratios of each round."""
    yield ""
    yield "## Service under load, beside the engine alone"
    yield ""
    slower = np.divide(figures.service_ms, figures.engine_ms)
    share = np.divide(figures.service_per_s, figures.engine_per_s)
    yield f"| rounds: {len(slower)} | engine alone | service, octets | ratio | goal |"
    yield "|---|---|---|---|---|"
    yield (
        f"| p50 of one, ms | {np.median(figures.engine_ms):.1f} "
        f"| {np.median(figures.service_ms):.1f} | {np.median(slower):.2f} "
        "| at most 1.15 |"
    )
    yield (
        f"| by {CLIENTS} at once, a second | {np.median(figures.engine_per_s):.0f} "
        f"| {np.median(figures.service_per_s):.0f} | {np.median(share):.2f} "
        "| at least 0.85 |"
    )


def _contexts(engine: Engine) -> list[Float32]:
    """Return contexts of full length: rows in order, from anywhere in the index."""
    vectors = engine.bundle.index.vectors
    starts = np.random.default_rng(0).integers(
        0, len(vectors) - CONTEXT_LENGTH, _NUM_CONTEXTS
    )
    rows = (np.array(vectors[s : s + CONTEXT_LENGTH]) for s in starts.tolist())
    return [engine.bundle.checkpoint.transform.invert(row) for row in rows]


def _request(context: Float32) -> bytes:
    body = context.astype("<f4").tobytes()
    head = (
        f"POST /predict?k={_K} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _of_engine(
    engine: Engine, contexts: list[Float32]
) -> Iterator[tuple[float, float]]:
    """Yield milliseconds of one query and queries a second, by number of threads."""
    queries = [Query(engine=engine, context=c, k=_K) for c in contexts]
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


async def _ask(
    port: int, bodies: list[bytes], *, clients: int, seconds: float
) -> list[float]:
    """Ask again and again; return the milliseconds of every answer."""
    until = time.perf_counter() + seconds
    took = await asyncio.gather(
        *(
            _client(port, bodies[place:] + bodies[:place], until)
            for place in range(clients)
        )
    )
    return [one for each in took for one in each]


async def _client(port: int, bodies: list[bytes], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for body in cycle(bodies):
        started = time.perf_counter()
        if started > until:
            break
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            msg = f"expected 200, got {head[:100]!r}"
            raise RuntimeError(msg)
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        took.append(1000 * (time.perf_counter() - started))
    writer.close()
    await writer.wait_closed()
    return took


if __name__ == "__main__":
    main()
