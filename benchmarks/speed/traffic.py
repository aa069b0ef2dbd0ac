"""Thousands of mixed requests: ``python -m benchmarks.speed.traffic``.

Whatever clients send, in turn and at once: octets, arrays, names, batches, sessions,
steps, validation, and bodies that are none. Does the service keep any of it?
"""

import argparse
import http.client
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import psutil

from benchmarks.speed.resident import resident_parts
from benchmarks.speed.section import Goal, Section, table
from benchmarks.speed.service import connect, running
from benchmarks.speed.synthetic import BEST, make_bundles
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry
from nextvec.training.vectors import CONTEXT_LENGTH, Float32

_CLIENTS: Final = 8
_LEGS: Final = 5
_JSON: Final = "application/json"
_OCTETS: Final = "application/octet-stream"
_BATCH: Final = 4

MIX: Final = {
    "octets": 5,
    "arrays": 3,
    "names": 4,
    "batch": 2,
    "session": 2,
    "step": 2,
    "poll": 1,
    "bad": 3,
}
"""How often each comes."""

BAD: Final[tuple[tuple[str, bytes, str, int], ...]] = (
    ("/predict", b'{"context": [[0.1, 0.2', _JSON, 400),
    ("/predict", b"seven b", _OCTETS, 400),
    ("/predict", b'{"ids": ["nowhere"]}', _JSON, 422),
    ("/predict", b'{"context": []}', _JSON, 422),
    ("/predict", b'{"ids": ["nowhere"], "k": "ten"}', _JSON, 422),
    ("/predict", b"hello", "text/plain", 415),
    ("/step", b'{"ids": ["package-0/page#0"], "state": "AAAA"}', _JSON, 400),
    ("/nothing", b"", _JSON, 404),
)
"""Bodies that are refused: path, body, media type, status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The service after so many requests."""

    requests: int
    threads: int
    own_mib: float
    """Of memory that is no file's."""

    resident_mib: float
    """Of all, with what was read of mapped files."""


@dataclass(slots=True)
class Traffic:
    """What was asked, and what came of it."""

    counts: dict[str, int] = field(default_factory=dict)
    """Requests by kind, without those before the first reading."""

    readings: list[Reading] = field(default_factory=list)
    """The first before anything that counts."""

    @property
    def more_threads(self) -> int:
        """How many more there are than at the first reading, at most."""
        threads = [reading.threads for reading in self.readings]
        return max(threads) - threads[0]

    @property
    def growth_mib(self) -> float:
        """Own memory that 1,000 requests add: the slope of the line through all."""
        asked = [reading.requests / 1000 for reading in self.readings]
        own = [reading.own_mib for reading in self.readings]
        return float(np.polyfit(asked, own, 1)[0])


def measure_traffic(bundle: Path, *, requests: int) -> Traffic:
    """Serve a bundle, and send it everything.

    Args:
        bundle: folder of the bundle; it goes live.
        requests: at least; a fifth as many go before them.

    Raises:
        RuntimeError: an answer had another status than it should.
    """
    engine = open_engine(bundle)
    Registry(bundle.parent).make_live(engine.bundle)
    vectors, ids = engine.bundle.index.vectors, engine.bundle.catalogue.ids
    found, leg = Traffic(), requests // _LEGS
    with running(bundle.parent) as (port, pid, _):
        process, asked = psutil.Process(pid), 0
        for number in range(1 + _LEGS):
            each = partial(_client, port, vectors, ids, -(-leg // _CLIENTS))
            with ThreadPoolExecutor(_CLIENTS) as pool:
                seeds = range(number * _CLIENTS, (number + 1) * _CLIENTS)
                for counts in pool.map(each, seeds):
                    for kind, count in counts.items() if number else ():
                        found.counts[kind] = found.counts.get(kind, 0) + count
                        asked += count
            parts = resident_parts(process)
            found.readings.append(
                Reading(
                    requests=asked,
                    threads=process.num_threads(),
                    own_mib=parts["own"],
                    resident_mib=sum(parts.values()),
                )
            )
    return found


def traffic_section(found: Traffic) -> Section:
    """Report it."""
    most = found.growth_mib
    goals = (
        Goal(
            what="threads more after mixed requests",
            found=float(found.more_threads),
            most=0.0,
        ),
        Goal(what="MiB that 1,000 mixed requests add", found=most, most=1.0),
    )
    return Section(list(_lines(found)), goals)


def _lines(found: Traffic) -> Iterator[str]:
    counts = ", ".join(f"{kind} {count:,}" for kind, count in found.counts.items())
    yield f"## {sum(found.counts.values()):,} mixed requests of {_CLIENTS} clients"
    yield ""
    yield f"{counts}; each had the status it should. Bad ones are refused."
    yield ""
    yield from table(
        ("requests", "threads", "MiB of its own", "MiB with mapped files"),
        (
            (
                f"{reading.requests:,}",
                str(reading.threads),
                f"{reading.own_mib:.1f}",
                f"{reading.resident_mib:.1f}",
            )
            for reading in found.readings
        ),
    )
    yield ""
    yield f"1,000 requests add {found.growth_mib:+.2f} MiB, by the line through all."
    yield ""


def _client(
    port: int, vectors: Float32, ids: Sequence[str], requests: int, seed: int
) -> dict[str, int]:
    """Ask so often, and return how often of each kind."""
    client = _Client(port, vectors, ids, np.random.default_rng(seed))
    kinds = [kind for kind, times in MIX.items() for _ in range(times)]
    counts: dict[str, int] = dict.fromkeys(MIX, 0)
    while sum(counts.values()) < requests:
        for kind in client.rng.permutation(kinds):
            before = client.sent
            getattr(client, str(kind))()
            counts[str(kind)] += client.sent - before
    return counts


class _Client:
    """One connection, and what is sent on it; each method is a kind of `MIX`."""

    def __init__(
        self, port: int, vectors: Float32, ids: Sequence[str], rng: np.random.Generator
    ) -> None:
        self._connection, self._vectors, self._ids = connect(port), vectors, ids
        self.rng, self.sent = rng, 0

    def octets(self) -> None:
        self._post("/predict", self._context().tobytes(), _OCTETS)

    def arrays(self) -> None:
        self._post("/predict", _json({"context": self._context()}))

    def names(self) -> None:
        start, length = self._start(), int(self.rng.integers(1, CONTEXT_LENGTH))
        self._post("/predict", _json({"ids": self._ids[start : start + length]}))

    def batch(self) -> None:
        contexts = np.stack([self._context() for _ in range(_BATCH)])
        shape = ",".join(map(str, contexts.shape))
        path = f"/predict/batch?shape={shape}"
        self._post(path, contexts.tobytes(), _OCTETS)

    def session(self) -> None:
        start = self._start()
        first = _json({"ids": self._ids[start : start + 20]})
        name = self._post("/sessions", first, status=http.client.CREATED)["session"]
        for more in range(20, 24):
            self._post(f"/sessions/{name}", _json({"ids": [self._ids[start + more]]}))
        self._ask("DELETE", f"/sessions/{name}", status=http.client.NO_CONTENT)

    def step(self) -> None:
        start, state = self._start(), dict[str, str]()
        for more in range(3):
            told = self._post(
                "/step", _json({"ids": [self._ids[start + more]], **state})
            )
            state = {"state": told["state"]}

    def poll(self) -> None:
        again = "?refresh=true" if self.rng.random() < 0.1 else ""
        self._ask("GET", f"/metrics/hitk{again}")
        self._ask("GET", "/metrics")

    def bad(self) -> None:
        path, body, media_type, status = BAD[int(self.rng.integers(len(BAD)))]
        self._post(path, body, media_type, status=status)

    def _start(self) -> int:
        return int(self.rng.integers(len(self._ids) - CONTEXT_LENGTH))

    def _context(self) -> Float32:
        start = self._start()
        return np.array(self._vectors[start : start + CONTEXT_LENGTH])

    def _post(
        self,
        path: str,
        body: bytes,
        media_type: str = _JSON,
        *,
        status: int = http.client.OK,
    ) -> Any:  # noqa: ANN401 - what a JSON answer holds
        headers = {"Content-Type": media_type}
        content = self._ask("POST", path, body, headers, status=status)
        return orjson.loads(content)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        status: int = http.client.OK,
    ) -> bytes:
        self.sent += 1
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != status:
            msg = f"{method} {path}: expected {status}, got {answer.status}: "
            raise RuntimeError(msg + repr(content[:300]))
        return content


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def main() -> None:
    """Print the report of a synthetic bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=71_526)
    parser.add_argument("--dim", type=int, default=256)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = make_bundles(Path(scratch), {"best": BEST}, rows=told.rows, dim=told.dim)
        found = measure_traffic(made["best"], requests=told.requests)
    print("\n".join(traffic_section(found).lines))


if __name__ == "__main__":
    main()
