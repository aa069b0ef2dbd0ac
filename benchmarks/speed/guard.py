"""What the door costs a request: keys, limits, refusals.

    python -m benchmarks.speed.guard

In process, without a server: the guard in front of an app that does nothing, less that
app alone, in CPU time of the thread. All cases take turns, round by round, and the
median of the rounds is told.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextvec.app.access.key import new_key
from nextvec.app.access.key_file import write_keys
from nextvec.app.access.key_ring import KeyRing
from nextvec.app.access.rate import MOST_COUNTS, Rate
from nextvec.app.api.guard import Guard
from nextvec.app.metrics import Metrics
from nextvec.app.settings import Settings

_ROUNDS: Final = 41
_REQUESTS: Final = 500
_RATES: Final = {
    "rate_per_key": "900000000/second",
    "rate_per_address": "900000000/second",
}


@dataclass(frozen=True)
class Case:
    """A guard, and the key that its requests show."""

    name: str
    app: ASGIApp
    key: str | None


async def _nothing(_: Scope, __: Receive, ___: Send) -> None:
    """Do what every app that answers at once has to: nothing."""


async def _receive() -> Message:
    raise AssertionError


async def _send(_: Message) -> None:
    """Take an answer."""


def cases(folder: Path) -> Iterator[Case]:
    """Make what is measured."""

    def guard(ring: KeyRing, **told: Any) -> Guard:  # noqa: ANN401 - settings
        told = {"rate_refused": "900000000/second", **told}
        return Guard(
            _nothing, ring=ring, settings=Settings(**told), metrics=Metrics(lambda: 0)
        )

    yield Case("the app alone", _nothing, None)
    none = KeyRing(folder / "none.json")
    yield Case("no keys", guard(none), None)
    yield Case("no keys, limit per address", guard(none, **_RATES), None)
    for count in (1, 1000):
        made = [new_key("predict") for _ in range(count)]
        path = folder / f"{count}.json"
        write_keys(path, [key for key, _ in made])
        ring, secret = KeyRing(path), made[count // 2][1]
        keys = f"{count:,} key" + "s" * (count > 1)
        yield Case(keys, guard(ring), secret)
        yield Case(f"{keys}, limits per key and address", guard(ring, **_RATES), secret)
        yield Case(f"{keys}, a wrong one: 401", guard(ring), secret[:-1] + "g")
        yield Case(f"{keys}, none: 401", guard(ring), None)


async def _round(case: Case) -> float:
    """Return the microseconds of one request, of many."""
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"user-agent", b"python-httpx2"),
        (b"content-type", b"application/json"),
        (b"content-length", b"2000"),
    ]
    if case.key is not None:
        headers.append((b"authorization", f"Bearer {case.key}".encode()))
    began = time.thread_time()
    for _ in range(_REQUESTS):
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 40_000),
        }
        await case.app(scope, _receive, _send)
    return 1e6 * (time.thread_time() - began) / _REQUESTS


def costs() -> Iterator[str]:
    """Measure each case, as rows of a table."""
    with TemporaryDirectory() as folder:
        measured = list(cases(Path(folder)))
        rounds: list[list[float]] = [[] for _ in measured]
        for _ in range(_ROUNDS):
            for case, took in zip(measured, rounds, strict=True):
                took.append(asyncio.run(_round(case)))
    alone = statistics.median(rounds[0])
    yield "| case | µs of CPU more than the app alone |"
    yield "|---|---|"
    for case, took in zip(measured[1:], rounds[1:], strict=True):
        yield f"| {case.name} | {statistics.median(took) - alone:.1f} |"


def crowd() -> Iterator[str]:
    """Measure limits that many addresses meet: with our storage, and the library's."""
    rate = Rate("100/hour", of="address")
    library = SlidingWindowCounterRateLimiter(MemoryStorage())
    ways: dict[str, Callable[[str], object]] = {
        "ours": rate.take,
        "MemoryStorage of limits": lambda client: library.hit(rate.item, client),
    }
    yield f"CPU of the process (threads too) for one hit of {MOST_COUNTS:,} addresses:"
    for name, hit in ways.items():
        began = time.process_time()
        for at in range(MOST_COUNTS):
            hit(f"192.0.2.{at}")
        cost_us = 1e6 * (time.process_time() - began) / MOST_COUNTS
        yield f"{name} {cost_us:.1f} µs"


def main() -> None:
    """Print the tables."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for line in costs():
        print(line)
    print()
    for line in crowd():
        print(line)


if __name__ == "__main__":
    main()
