"""Ten minutes at 80 % of capacity, while everything else happens, too.

Clients of every kind arrive at random (Poisson) at a share of the rate that 32 clients
at once reached just before, beside all the rest. Who is refused comes back as told, a
few times. Meanwhile another bundle is promoted every 15 seconds, where the folder holds
several, by the admin route: a command of its own would take some four seconds of the
two processors each time. Validation runs are asked for, and slow clients send a byte a
second. Every answer is counted; latencies count from when a request was due, so that a
service which stalls is not flattered, nor one that refuses.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from benchmarks.faults.connection import Connection, Reply, as_json, request
from benchmarks.faults.traffic import Traffic
from benchmarks.faults.watch import Sample, table_of, watch
from benchmarks.speed.service import running
from nextvec.app.access.key_file import create_key
from nextvec.app.release.registry import Registry

_CLIENTS: Final = 32
_CAPACITY_S: Final = 30.0
_MOST_CONNECTIONS: Final = 512
_SWAP_EVERY_S: Final = 15.0
_REFRESH_EVERY_S: Final = 20.0
_SAMPLE_EVERY_S: Final = 15.0
_SLOW_CLIENTS: Final = 10
_MOST_TRIES: Final = 4
_PATIENCE_S: Final = 20.0
_OK: Final = range(200, 300)


@dataclass(slots=True)
class SoakFigures:
    """What happened."""

    capacity: float = 0.0
    """Requests a second that 32 clients at once got answered, the same mix."""

    rate: float = 0.0
    """Requests a second that arrived."""

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    """How often each status came; ``no answer`` where none did, ``not sent`` of what
    waited for a connection for too long."""

    refused: int = 0
    """Answers that told a client to come back."""

    failed: Counter[str] = field(default_factory=Counter)
    """Kind and status of what was not answered with success in the end."""

    latencies_ms: list[float] = field(default_factory=list)
    """From when a request was due to its whole answer, of every kind but batches."""

    versions: set[str] = field(default_factory=set)
    """Bundles that answered."""

    swaps: int = 0
    validations: int = 0
    cut: int = 0
    """Slow clients whose connection the service ended."""

    samples: list[Sample] = field(default_factory=list)
    """Of the service."""


def main(arguments: list[str] | None = None) -> list[str]:
    """Run it, and return the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__, prog="faults soak")
    parser.add_argument("--bundles", type=Path, default=Path("artifacts/bundles"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--share", type=float, default=0.8)
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        # promoted to and fro here, and not in the folder that is served elsewhere
        bundles = shutil.copytree(told.bundles, Path(scratch) / "bundles")
        keys = bundles.with_name("keys.json")
        _, key = create_key(keys, "admin")
        with running(bundles, NEXTVEC_KEYS=str(keys)) as (port, pid, _):
            soaked = _soak(_Service(port, pid, key), bundles, told.seconds, told.share)
            figures = asyncio.run(soaked)
    return list(section(figures))


def section(figures: SoakFigures) -> Iterator[str]:
    """Write the figures."""
    asked = sum(figures.answers.values())
    failed = sum(figures.failed.values())
    p50, p99, most = np.percentile(figures.latencies_ms, (50, 99, 100))
    yield f"## Soak: {figures.seconds:.0f} s at {figures.rate:.0f} requests a second"
    yield ""
    yield (
        "Capacity, 32 clients at once, the same mix beside the same: "
        f"{figures.capacity:.0f} a second. {asked:,} requests, {figures.refused} times "
        f"one was told to come back, **{failed} without success** in the end; p50 "
        f"{p50:.1f} ms, p99 {p99:.0f} ms, the slowest {most:.0f} ms. {figures.swaps} "
        f"promotions between {len(figures.versions)} bundles, {figures.validations} "
        f"validation runs asked for, {figures.cut} slow clients cut off."
    )
    yield ""
    if figures.failed:
        worst = figures.failed.most_common()
        yield "Without success: " + ", ".join(f"{what} {n}" for what, n in worst) + "."
        yield ""
    yield from table_of(figures.samples)


@dataclass(frozen=True, slots=True)
class _Service:
    """What is soaked."""

    port: int
    pid: int
    key: str

    def connect(self, timeout_s: float = 30.0) -> Connection:
        return Connection(self.port, timeout_s=timeout_s, key=self.key)


async def _soak(
    service: _Service, bundles: Path, seconds: float, share: float
) -> SoakFigures:
    names = Registry(bundles).versions()
    figures = SoakFigures()
    traffic = await Traffic.of(service.port, key=service.key)
    beside = [
        asyncio.create_task(work)
        for work in (
            _promote(service, names, figures),
            _validate(service, figures),
            watch(
                psutil.Process(service.pid), figures.samples, every_s=_SAMPLE_EVERY_S
            ),
            *(_drip(service, figures) for _ in range(_SLOW_CLIENTS)),
        )
    ]
    figures.capacity = await _capacity(service, traffic)
    figures.rate, figures.seconds = share * figures.capacity, seconds
    await _arrive(service, traffic, figures)
    for task in beside:
        task.cancel()
    for outcome in await asyncio.gather(*beside, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return figures


async def _capacity(service: _Service, traffic: Traffic) -> float:
    """Return how many requests a second are answered when 32 clients ask at once."""
    until, answered = time.perf_counter() + _CAPACITY_S, 0

    async def ask() -> None:
        nonlocal answered
        async with service.connect() as connection:
            while time.perf_counter() < until:
                await connection.ask(traffic.any()[1])
                answered += 1

    await asyncio.gather(*(ask() for _ in range(_CLIENTS)))
    return answered / _CAPACITY_S


async def _arrive(service: _Service, traffic: Traffic, figures: SoakFigures) -> None:
    """Send requests when they are due, each over a connection that is free."""
    rng = np.random.default_rng(1)
    idle: list[Connection] = []
    room = asyncio.Semaphore(_MOST_CONNECTIONS)
    began = due = time.perf_counter()

    async def one(due: float) -> None:
        async with room:
            if time.perf_counter() > due + _PATIENCE_S:
                # else a service that cannot keep up is asked for ever
                figures.answers["not sent"] += 1
                figures.failed["not sent"] += 1
                return
            connection = idle.pop() if idle else service.connect()
            await _answered(connection, traffic, figures, due)
            idle.append(connection)

    async with asyncio.TaskGroup() as group:
        while due < began + figures.seconds:
            due += rng.exponential(1 / figures.rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    for connection in idle:
        connection.close()


async def _answered(
    connection: Connection, traffic: Traffic, figures: SoakFigures, due: float
) -> None:
    kind, sent = traffic.any()
    try:
        reply = await _asked(connection, sent, figures)
    except (OSError, TimeoutError) as error:
        figures.answers["no answer"] += 1
        figures.failed[f"{kind} {type(error).__name__}"] += 1
        return
    figures.answers[str(reply.status)] += 1
    if reply.status not in _OK:
        figures.failed[f"{kind} {reply.status}"] += 1
    elif kind in {"octets", "ids", "JSON"}:
        figures.versions.add(str(reply.json()["bundle"]))
    if kind != "batch":
        figures.latencies_ms.append(1000 * (time.perf_counter() - due))


async def _asked(connection: Connection, sent: bytes, figures: SoakFigures) -> Reply:
    """Ask, and again whenever that is what the service says."""
    reply = await connection.ask(sent)
    for _ in range(_MOST_TRIES - 1):
        if reply.status != 503:
            break
        figures.refused += 1
        # not all of them at one moment
        told_s = float(reply.headers["retry-after"]) * random.uniform(1, 2)  # noqa: S311 - no secret
        await asyncio.sleep(told_s)
        reply = await connection.ask(sent)
    return reply


async def _promote(service: _Service, names: list[str], figures: SoakFigures) -> None:
    """Make the next bundle of the folder live, again and again."""
    async with service.connect(timeout_s=60) as connection:
        while len(names) > 1:
            await asyncio.sleep(_SWAP_EVERY_S)
            name = names[(figures.swaps + 1) % len(names)]
            reply = await connection.ask(as_json("/admin/promote", {"bundle": name}))
            if reply.status != 200:
                msg = f"promoting {name} ended with status {reply.status}"
                raise RuntimeError(msg)
            figures.swaps += 1


async def _validate(service: _Service, figures: SoakFigures) -> None:
    async with service.connect(timeout_s=600) as connection:
        while True:
            await asyncio.sleep(_REFRESH_EVERY_S)
            figures.validations += 1
            with contextlib.suppress(OSError):
                await connection.ask(request("GET", "/metrics/hitk?refresh=true"))


async def _drip(service: _Service, figures: SoakFigures) -> None:
    """Announce a body and send a byte of it a second, until the service has enough."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        try:
            head = (
                "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
                f"X-API-Key: {service.key}\r\n"
                "Content-Type: application/octet-stream\r\n"
                "Content-Length: 100000\r\n\r\n"
            )
            writer.write(head.encode())
            while not reader.at_eof():
                writer.write(b"0")
                await asyncio.sleep(1.0)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(4096), 0.01)
        except OSError:
            pass
        finally:
            writer.close()
        figures.cut += 1
