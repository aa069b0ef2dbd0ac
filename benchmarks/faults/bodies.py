"""Bodies of JSON that are made to cost much: ``python -m benchmarks.faults.bodies``.

First each alone, in this process: the longest that one of its steps holds the event
loop, and all of them together, in time of this thread's processor. Then against a
service on 127.0.0.1: clients that send the worst of them again and again, and what
others meet meanwhile, at the probe and at `/predict`.
"""

import argparse
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from benchmarks.faults.hostile import hostile_bodies
from benchmarks.speed.service import as_json, connect, running, timed
from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.commands.collector import spare_collector
from nextvec.app.errors import RequestError
from nextvec.app.release.registry import Registry
from nextvec.app.steps import Steps
from nextvec.app.wire.options import Limits
from nextvec.app.wire.requests import PredictRequest, decode_json, decode_json_batch
from nextvec.training.vectors import CONTEXT_LENGTH

_LIMITS: Final = Limits(dim=256, max_context=CONTEXT_LENGTH, max_k=10, default_k=10)
_ROUNDS: Final = 3
_LOOPING: Final = (0, 1, 4)
_ATTACKS: Final = ("empty lists", "strings, no commas", "20,000 objects of objects")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one body costs."""

    steps: int
    longest_ms: float
    total_ms: float
    outcome: str


def main(argv: Sequence[str] | None = None) -> list[str]:
    """Measure, and return the section of the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, default=Path("artifacts/bundles"))
    parser.add_argument("--seconds", type=float, default=5.0)
    told = parser.parse_args(argv)
    bodies = dict(hostile_bodies())
    found = (*alone(bodies), "", *beside(told.bundles, bodies, told.seconds))
    return ["## Hostile bodies of JSON", "", *found]


def alone(bodies: dict[str, bytes]) -> Iterator[str]:
    """Decode each body in this process, as the service is set up; the least of 3."""
    spare_collector()
    yield "| body | MB | steps | longest step, ms | all, ms | outcome |"
    yield "|---|---|---|---|---|---|"
    contexts = np.random.default_rng(0).normal(size=(16, CONTEXT_LENGTH, 256))
    vectors = orjson.dumps({"contexts": contexts.astype(np.float32).tolist()})
    for name, body in {"16 contexts of vectors": vectors, **bodies}.items():
        decode = decode_json_batch if body is vectors else decode_json
        costs = [cost_of(decode(body, _LIMITS)) for _ in range(_ROUNDS)]
        longest = min(cost.longest_ms for cost in costs)
        total = min(cost.total_ms for cost in costs)
        yield (
            f"| {name} | {len(body) / 1e6:.1f} | {costs[0].steps:,} | {longest:.1f} "
            f"| {total:.0f} | {costs[0].outcome} |"
        )


def cost_of(steps: Steps[PredictRequest]) -> Cost:
    """Do all steps, and note what they cost."""
    taken, longest, outcome = 0, 0.0, "decoded"
    began = at = time.thread_time()
    try:
        while True:
            next(steps)
            now = time.thread_time()
            longest, at, taken = max(longest, now - at), now, taken + 1
    except StopIteration:
        pass
    except RequestError as error:
        outcome = type(error).__name__
    ended = time.thread_time()
    longest = max(longest, ended - at)
    return Cost(taken, 1000 * longest, 1000 * (ended - began), outcome)


def beside(bundles: Path, bodies: dict[str, bytes], seconds: float) -> Iterator[str]:
    """Ask the probe and `/predict` while others send hostile bodies."""
    name = load_bundle(Registry(bundles).live()).catalogue.ids[0]
    yield "| clients | send | `/livez` p50, p99, ms | `/predict` p50, p99, ms |"
    yield "|---|---|---|---|"
    with running(bundles) as (port, _, _):
        asked = as_json({"ids": [name] * CONTEXT_LENGTH})
        for attack in _ATTACKS:
            for clients in _LOOPING:
                if clients == 0 and attack != _ATTACKS[0]:
                    continue
                with _looping(port, bodies[attack], clients):
                    probed = _asked(seconds, port, _probe)
                    took = _asked(seconds, port, lambda c: timed(c, asked))
                figures = [
                    f"{np.median(ms):.1f}, {np.percentile(ms, 99):.1f}"
                    for ms in (probed, took)
                ]
                sent = attack if clients else "nothing"
                yield f"| {clients} | {sent} | {figures[0]} | {figures[1]} |"


def _asked(
    seconds: float, port: int, ask: Callable[[http.client.HTTPConnection], float]
) -> list[float]:
    connection, until = connect(port), time.perf_counter() + seconds
    took = []
    while time.perf_counter() < until:
        took.append(ask(connection))
        time.sleep(0.005)
    connection.close()
    return took


def _probe(connection: http.client.HTTPConnection) -> float:
    started = time.perf_counter()
    connection.request("GET", "/livez")
    connection.getresponse().read()
    return 1000 * (time.perf_counter() - started)


@contextmanager
def _looping(port: int, body: bytes, clients: int) -> Iterator[None]:
    """Send a body again and again, each client as soon as it is answered."""
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            connection = connect(port)
            try:
                connection.request(
                    "POST", "/predict", body, {"Content-Type": "application/json"}
                )
                connection.getresponse().read()
            except OSError:
                # refused while it was sent
                continue
            finally:
                connection.close()

    threads = [threading.Thread(target=loop) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    print("\n".join(main()))
