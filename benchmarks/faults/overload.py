"""Goodput of an overloaded service: ``python -m benchmarks.faults.overload``.

Many more clients than it can answer, at deadlines of several times what one full batch
takes, each given by the request itself (`X-Request-Timeout-Ms`). Good is an answer that
came in time. Clients that are refused come back when `Retry-After` says, or up to as
long after it, or at once. Everything is on 127.0.0.1, and lasts as long as it is told
to.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from benchmarks.faults.connection import Connection
from benchmarks.faults.steadiness import steadiness
from benchmarks.speed.resident import resident_mib
from benchmarks.speed.service import running
from nextvec.app.bundle.bundle import Bundle, load_bundle
from nextvec.app.release.registry import Registry
from nextvec.training.vectors import CONTEXT_LENGTH

_K: Final = 10
_NUM_BODIES: Final = 50
_AT_CAPACITY: Final = 32
# As many as a batch holds: the thread is never idle, and nobody waits for long.

_TIMES: Final = (2.0, 3.0, 5.0, 10.0)
# Deadlines, in batches of all that a batch may hold.

_TEN_TIMES: Final = 10
_PATIENCE_S: Final = 2.0
_SETTLE_S: Final = 2.0

_SOON_S: Final = 0.05
# Between two tries of a client that does not do what it is told.


class Tally:
    """What came back, by status, and when it was good."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.statuses = Counter[int]()
        self.good_ms: list[float] = []

    def note(self, status: int, took_s: float, deadline_s: float) -> None:
        """Take in one answer."""
        in_time = status == 200 and took_s <= deadline_s
        self.statuses[status if in_time or status != 200 else 0] += 1
        if in_time:
            self.good_ms.append(1000 * took_s)


def main(argv: Sequence[str] | None = None) -> list[str]:
    """Measure, and return the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, default=Path("artifacts/bundles"))
    parser.add_argument("--clients", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--deadlines", type=float, nargs="*", help="seconds, besides")
    told = parser.parse_args(argv)
    bodies = _bodies(load_bundle(Registry(told.bundles).live()))
    deadlines = told.deadlines or []
    lines = ["## Overload", "", steadiness(told.seconds), ""]
    with running(told.bundles) as (port, pid, _):
        lines += measured(port, bodies, told.clients, told.seconds, deadlines)
        process = psutil.Process(pid)
        lines += ["", asyncio.run(_recovered(port, bodies, process, told.seconds))]
    return lines


def measured(
    port: int,
    bodies: list[bytes],
    clients: int,
    seconds: float,
    deadlines_s: list[float],
) -> Iterator[str]:
    """Measure capacity, then goodput at each deadline, beside capacity again."""
    # so that no first request is measured
    asyncio.run(ask(port, bodies, _AT_CAPACITY, 1.0, 10.0, obeys=True))
    first = asyncio.run(ask(port, bodies, _AT_CAPACITY, seconds, 10.0, obeys=True))
    batch_s = float(np.median(first.good_ms)) / 1000
    yield (
        f"{_AT_CAPACITY} clients: {len(first.good_ms) / seconds:.0f} answers a second, "
        f"median {1000 * batch_s:.0f} ms; then {clients} clients."
    )
    yield ""
    yield (
        "| deadline, ms | batches | refused come back | capacity, a second | good, a "
        "second | share | late | 503 | 504 | p50, p99 of the good, ms |"
    )
    yield "|---" * 10 + "|"
    wanted = [times * batch_s for times in _TIMES]
    for deadline_s in sorted({*wanted, *deadlines_s}):
        for obeys in (True, False):
            # in turn, so that a slow moment of the machine meets both
            full, tally = Tally(), Tally()
            for _ in range(2):
                for one, number, timeout_s in (
                    (full, _AT_CAPACITY, 10.0),
                    (tally, clients, deadline_s),
                ):
                    asyncio.run(
                        ask(port, bodies, number, seconds / 2, timeout_s, obeys, one)
                    )
            good, capacity = len(tally.good_ms), len(full.good_ms)
            p50, p99 = np.percentile(tally.good_ms or [np.nan], [50, 99])
            yield (
                f"| {1000 * deadline_s:.0f} | {deadline_s / batch_s:.1f} "
                f"| {'when told' if obeys else 'at once'} | {capacity / seconds:.0f} "
                f"| {good / seconds:.0f} | {good / capacity:.2f} "
                f"| {tally.statuses[0]} | {tally.statuses[503]} "
                f"| {tally.statuses[504]} | {p50:.0f}, {p99:.0f} |"
            )


async def ask(
    port: int,
    bodies: list[bytes],
    clients: int,
    seconds: float,
    deadline_s: float,
    obeys: bool,
    tally: Tally | None = None,
) -> Tally:
    """Ask again and again, and count what came back.

    Args:
        port: where the service listens.
        bodies: vectors as octets.
        clients: how many ask at once, each on a connection of its own.
        seconds: how long.
        deadline_s: what each request says that its answer may take.
        obeys: whether one that is refused waits for as long as it is told to, or up to
            twice that.
        tally: what to count in.
    """
    counted = Tally() if tally is None else tally
    until = time.perf_counter() + seconds
    await asyncio.gather(
        *(
            _client(
                port,
                [_head(body, deadline_s) + body for body in _from(bodies, place)],
                until,
                deadline_s,
                obeys,
                counted,
                np.random.default_rng(place),
            )
            for place in range(clients)
        )
    )
    return counted


def _from(bodies: list[bytes], place: int) -> list[bytes]:
    start = place % len(bodies)
    return bodies[start:] + bodies[:start]


async def _client(
    port: int,
    requests: list[bytes],
    until: float,
    deadline_s: float,
    obeys: bool,
    tally: Tally,
    rng: np.random.Generator,
) -> None:
    async with Connection(port) as connection:
        for request in cycle(requests):
            if time.perf_counter() >= until:
                break
            reply = await connection.ask(request)
            tally.note(reply.status, reply.took_s, deadline_s)
            if reply.status == 503:
                # not all of them at one moment, as who is told the same would be
                told_s = float(reply.headers["retry-after"]) * rng.uniform(1, 2)
                pause_s = told_s if obeys else _SOON_S
                await asyncio.sleep(min(pause_s, max(0.0, until - time.perf_counter())))


async def _recovered(
    port: int, bodies: list[bytes], process: psutil.Process, seconds: float
) -> str:
    """Ask ten times as much as can be answered, then once; tell what that did."""
    before_mib, peak_mib = resident_mib(process), 0.0

    async def watch() -> None:
        nonlocal peak_mib
        while True:
            peak_mib = max(peak_mib, resident_mib(process))
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    clients = _TEN_TIMES * _AT_CAPACITY
    tally = await ask(port, bodies, clients, seconds, _PATIENCE_S, obeys=False)
    watching.cancel()
    began = time.perf_counter()
    async with Connection(port) as connection:
        sent = _head(bodies[0], _PATIENCE_S) + bodies[0]
        # refused a few times perhaps, by a service that has its queue to work off
        while (await connection.ask(sent)).status != 200:
            pass
    back_ms = 1000 * (time.perf_counter() - began)
    await asyncio.sleep(_SETTLE_S)
    after_mib = resident_mib(process)
    p99 = np.percentile(tally.good_ms or [np.nan], 99)
    return (
        f"{clients} clients that come back at once, {_PATIENCE_S:g} s each: "
        f"{len(tally.good_ms) / seconds:.0f} good a second, p99 {p99:.0f} ms; "
        f"memory {before_mib:.0f}, at most {peak_mib:.0f}, afterwards "
        f"{after_mib:.0f} MiB; the first after it answered in {back_ms:.0f} ms."
    )


def _head(body: bytes, deadline_s: float) -> bytes:
    return (
        f"POST /predict?k={_K} HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Request-Timeout-Ms: {max(1, round(1000 * deadline_s))}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()


def _bodies(bundle: Bundle) -> list[bytes]:
    """Return contexts of full length: rows in order, from anywhere in the index."""
    vectors = bundle.index.vectors
    last = max(1, len(vectors) - CONTEXT_LENGTH)
    starts = np.random.default_rng(0).integers(0, last, _NUM_BODIES)
    rows = (np.array(vectors[s : s + CONTEXT_LENGTH]) for s in starts.tolist())
    return [
        bundle.checkpoint.transform.invert(row).astype("<f4").tobytes() for row in rows
    ]


if __name__ == "__main__":
    print("\n".join(main()))
