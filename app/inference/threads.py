"""How many processors this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_GROUPS: Final = Path("/proc/self/cgroup")
_MOUNTED: Final = Path("/sys/fs/cgroup")


def usable_cpus(groups: Path = _GROUPS, mounted: Path = _MOUNTED) -> int:
    """Return the CPUs this process may use: at least 1.

    The smaller of its affinity and of the least quota of its control group and of
    those around that, of version 2 and of version 1; the machine's own count would
    start threads that only wait for each other. Of a quota of 2.5 that is 2: a team of
    three is stopped whole while its quota is used up.

    Args:
        groups: the file that names the process's control groups (cgroups(7)).
        mounted: where their file systems are.
    """
    allowed = len(os.sched_getaffinity(0))
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        lines = []
    # a container sees its own group as the root of the mount, whatever it is called
    # outside, and without the file at least that
    quotas = [quota for line in (*lines, "0::/") for quota in _quotas(line, mounted)]
    return max(1, min([allowed, *map(int, quotas)]))


def inference_threads() -> int:
    """Return the threads of network and index, unless a setting names them.

    Half of the CPUs: the event loop needs one too, and a team that shares a processor
    waits for its slowest member at every one of a hundred steps (two busy cores, two
    threads: p99 2.5 s; one thread: 0.12 s).
    """
    return max(1, usable_cpus() // 2)


def _quotas(line: str, mounted: Path) -> Iterator[float]:
    """Yield the quotas, in CPUs, of a group and of those around it."""
    _, _, group = line.partition(":")
    controllers, _, path = group.partition(":")
    if controllers == "":
        tops, quota_of = [mounted], _quota_2
    elif "cpu" in controllers.split(","):
        tops, quota_of = [mounted / controllers, mounted / "cpu"], _quota_1
    else:
        return
    within = PurePosixPath(path.lstrip("/"))
    for top in tops:
        for folder in (within, *within.parents):
            try:
                yield quota_of(top / folder)
            except (OSError, ValueError, ZeroDivisionError):
                # no such group here, or it has no quota ("max")
                continue


def _quota_2(folder: Path) -> float:
    limit, period = (folder / "cpu.max").read_text().split()
    return int(limit) / int(period)


def _quota_1(folder: Path) -> float:
    limit = int((folder / "cpu.cfs_quota_us").read_text())
    if limit < 0:
        msg = "no quota"
        raise ValueError(msg)
    return limit / int((folder / "cpu.cfs_period_us").read_text())
