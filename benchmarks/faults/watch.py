"""What a process takes while it is asked, looked at again and again."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from benchmarks.speed.resident import resident_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a process takes."""

    after_s: float
    """Since it was first looked at, in seconds."""

    resident_mib: float
    threads: int
    descriptors: int


async def watch(
    process: psutil.Process, samples: list[Sample], *, every_s: float
) -> None:
    """Look at a process, at once and then every so many seconds, until cancelled."""
    began = time.perf_counter()
    while True:
        samples.append(
            Sample(
                after_s=time.perf_counter() - began,
                resident_mib=resident_mib(process),
                threads=process.num_threads(),
                descriptors=process.num_fds(),
            )
        )
        await asyncio.sleep(every_s)


def table_of(samples: list[Sample]) -> Iterator[str]:
    """Write them as a table, a line each."""
    yield "| after, s | resident, MiB | threads | descriptors |"
    yield "|---|---|---|---|"
    for one in samples:
        yield (
            f"| {one.after_s:.0f} | {one.resident_mib:.0f} | {one.threads} "
            f"| {one.descriptors} |"
        )
