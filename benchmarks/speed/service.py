"""Latency, memory and start-up time of the service, against one client."""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import psutil

from benchmarks.speed.clients import free_port
from benchmarks.speed.resident import resident_mib, resident_parts
from nextvec.app.release.registry import Registry
from nextvec.training.corpus.store import load_corpus

_START_TIMEOUT_S = 60
_TIMEOUT_S = 60

_REFRESH: Final = "/metrics/hitk?refresh=true"
_POLL: Final = "/metrics/hitk?k=1,2,3,4,5,6,7,8,9,10"
# As many cut-offs as one request may name.

COMMAND: Final = (
    sys.executable,
    "-c",
    "from nextvec.app.commands.main import main; main()",
)
"""The command line of this checkout, wherever `nextvec` was installed from."""

Request = tuple[bytes, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """What one client met."""

    startup_s: float
    """From starting the process to the first 200 of /readyz."""

    idle_mib: float
    """Resident memory when ready."""

    after_mib: float
    """Resident memory after all requests."""

    parts_mib: dict[str, float]
    """The same by part: its own, and what it shares with whoever maps the same file."""

    latencies_ms: dict[str, np.ndarray]
    """Of every request, by kind of body."""

    during_hitk_ms: np.ndarray
    """Of octet requests while the validation ran again."""

    hitk_s: float
    """How long that validation took meanwhile."""

    during_polls_ms: np.ndarray
    """Of octet requests while another client asked for what was measured already."""

    threads: int
    """Threads of the service's network and index, as `/info` says."""


def measure_service(bundles: Path, corpus: Path, *, requests: int) -> ServiceFigures:
    """Start the service, ask it with every kind of body in turn, and stop it."""
    loaded = load_corpus(corpus)
    document = int(np.argmax(loaded.lengths))
    rows = loaded.sequence(document)
    bodies: dict[str, Callable[[int], Request]] = {
        "octets": lambda start: octets(loaded.vectors[rows[start : start + 100]]),
        "ids": lambda start: as_json(
            {"ids": [loaded.ids[int(r)] for r in rows[start : start + 100]]}
        ),
        "JSON": lambda start: as_json(
            {"context": loaded.vectors[rows[start : start + 100]].tolist()}
        ),
    }
    starts = np.random.default_rng(0).integers(0, len(rows) - 100, requests)
    with running(bundles) as (port, pid, startup_s):
        process = psutil.Process(pid)
        idle = resident_mib(process)
        latencies: dict[str, list[float]] = {name: [] for name in bodies}
        connection = connect(port)
        for start in starts.tolist():
            # in turn, so that a slow moment of the machine meets all of them
            for name, body in bodies.items():
                latencies[name].append(timed(connection, body(start)))
        asked = [bodies["octets"](start) for start in starts.tolist()]
        during, took = _during(port, _REFRESH, asked)
        get(
            connect(port), _POLL
        )  # computes the figures; the answers after it are cached
        polled, _ = _during(port, _POLL, asked)
        info = orjson.loads(get(connect(port), "/info"))
        after = resident_mib(process)
        parts = resident_parts(process)
    return ServiceFigures(
        startup_s=startup_s,
        idle_mib=idle,
        after_mib=after,
        parts_mib=parts,
        latencies_ms={name: np.array(values) for name, values in latencies.items()},
        during_hitk_ms=np.array(during),
        hitk_s=float(np.median(took)),
        during_polls_ms=np.array(polled),
        threads=info["threads"],
    )


def _during(
    port: int,
    path: str,
    requests: list[Request],
) -> tuple[list[float], list[float]]:
    """Send predictions while another client asks for a path again and again.

    Returns:
        Milliseconds of each prediction, and seconds of each of the other's answers.
    """
    took: list[float] = []
    done = threading.Event()

    def ask() -> None:
        other = connect(port)
        while not done.is_set():
            started = time.perf_counter()
            get(other, path)
            took.append(time.perf_counter() - started)

    thread = threading.Thread(target=ask)
    thread.start()
    # not an older one: the service closes connections that idle for 5 s
    connection = connect(port)
    try:
        latencies = [timed(connection, request) for request in requests]
    finally:
        done.set()
        thread.join()
    return latencies, took


def connect(port: int) -> http.client.HTTPConnection:
    """Return a connection to the service, opened by its first request."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """Ask for a path and return what came."""
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        msg = f"{path}: expected 200, got {answer.status}: {content[:300]!r}"
        raise RuntimeError(msg)
    return content


def octets(vectors: np.ndarray) -> Request:
    """Return a request of raw little-endian float32."""
    body = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    return body, {"Content-Type": "application/octet-stream"}


def as_json(value: object) -> Request:
    """Return a request of JSON."""
    return orjson.dumps(value), {"Content-Type": "application/json"}


def timed(connection: http.client.HTTPConnection, request: Request) -> float:
    """Send one prediction and return how long it took, in milliseconds."""
    body, headers = request
    started = time.perf_counter()
    connection.request("POST", "/predict", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    took = 1000 * (time.perf_counter() - started)
    if answer.status != http.client.OK:
        msg = f"expected 200, got {answer.status}: {content[:300]!r}"
        raise RuntimeError(msg)
    return took


@contextmanager
def running(bundles: Path, **settings: str) -> Iterator[tuple[int, int, float]]:
    """Serve the live bundle on a free port; yield port, pid and start-up time.

    Args:
        bundles: folder of the bundles.
        settings: further variables of its environment.
    """
    Registry(bundles).live()
    port = free_port()
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "serve", f"--port={port}", f"--bundles={bundles}"],
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_until_ready(port)
            yield port, process.pid, time.perf_counter() - started
        finally:
            process.terminate()


def is_ready(port: int, path: str) -> bool:
    """Whether 127.0.0.1 answers this path with 200 by now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _wait_until_ready(port: int) -> None:
    """Wait for the first 200 of /readyz.

    Raises:
        TimeoutError: none within a minute.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if is_ready(port, "/readyz"):
            return
        time.sleep(0.05)
    msg = f"the service on port {port} was not ready within {_START_TIMEOUT_S} s"
    raise TimeoutError(msg)
