"""How long the event loop stands still while a large body of JSON is decoded.

Four ways, each body by each in turn: whole in the loop, whole in a thread (which holds
the interpreter's lock all the same), whole in another process, and in slices in turns
of the loop, which is what the service does.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Final

import numpy as np
import orjson

from nextvec.app.steps import in_turns
from nextvec.app.wire import requests
from nextvec.app.wire.options import Limits
from nextvec.training.vectors import CONTEXT_LENGTH, Float32, l2_normalize

_ROUNDS: Final = 15
_BEAT_S: Final = 0.0005
_BODIES: Final = ((1, 256), (1, 768), (2, 256), (5, 768), (16, 256))
# Contexts and D: half a megabyte to the 8 MiB that a body may have.

Way = Callable[[bytes, Limits], Awaitable[object]]


def main() -> None:
    """Measure, and print a table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with (
        ThreadPoolExecutor(1) as thread,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        ways: dict[str, Way] = {
            "whole": _at_once,
            "thread": _elsewhere(thread),
            "process": _elsewhere(process),
            "slices": _in_slices,
        }
        asyncio.run(_measure(ways))


def decode_whole(body: bytes) -> list[Float32]:
    """Decode a body at once, in any thread or process."""
    contexts = orjson.loads(body)["contexts"]
    for vector in (vector for context in contexts for vector in context):
        if not {int, float}.issuperset(map(type, vector)):
            msg = "expected numbers"
            raise TypeError(msg)
    return [l2_normalize(np.array(context, dtype=np.float64)) for context in contexts]


async def _at_once(body: bytes, _: Limits) -> None:
    decode_whole(body)


def _elsewhere(executor: Executor) -> Way:
    async def decode(body: bytes, _: Limits) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(executor, decode_whole, body)

    return decode


async def _in_slices(body: bytes, limits: Limits) -> None:
    await in_turns(requests.decode_json_batch(body, limits))


async def _measure(ways: dict[str, Way]) -> None:
    print(
        "Milliseconds until a body is decoded; in brackets the longest that the loop "
        "stood still, and the most of its own thread's CPU time in one turn (a loop "
        "that waits for the interpreter's lock, or for a processor that others use, "
        f"stands still and spends none). The least of {_ROUNDS} rounds."
    )
    print()
    print(f"| contexts | D | MiB | {' | '.join(ways)} |")
    print(f"|---|---|---|{'---|' * len(ways)}")
    rng = np.random.default_rng(0)
    for contexts, dim in _BODIES:
        vectors = rng.normal(size=(contexts, CONTEXT_LENGTH, dim)).astype(np.float32)
        body = orjson.dumps({"contexts": vectors.tolist()})
        limits = Limits(dim=dim, max_context=CONTEXT_LENGTH, max_k=10, default_k=10)
        met: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            # in turn, so that a slow moment of the machine meets all of them
            for name, way in ways.items():
                met[name].append(await _timed(way, body, limits))
        shown = [
            "{:.1f} ({:.1f}, {:.1f})".format(*np.min(figures, axis=0))
            for figures in met.values()
        ]
        size = len(body) / 2**20
        print(f"| {contexts} | {dim} | {size:.1f} | {' | '.join(shown)} |")


async def _timed(way: Way, body: bytes, limits: Limits) -> tuple[float, float, float]:
    """Return how long a body took, the longest pause of the loop, and its CPU time."""
    pauses, turns, done = [0.0], [0.0], False

    async def beat() -> None:
        while not done:
            before, spent = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_BEAT_S)
            pauses.append(time.perf_counter() - before - _BEAT_S)
            turns.append(time.thread_time() - spent)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(4 * _BEAT_S)
    started = time.perf_counter()
    await way(body, limits)
    took = time.perf_counter() - started
    await asyncio.sleep(4 * _BEAT_S)
    done = True
    await beating
    return 1000 * took, 1000 * max(pauses), 1000 * max(turns)


if __name__ == "__main__":
    main()
