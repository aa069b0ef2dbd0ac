"""How many processors this process may use."""

import os
from pathlib import Path
from typing import Final

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
# A container's share: "max 100000" or microseconds of quota and of period.


def usable_cpus(quota: Path = _QUOTA) -> int:
    """Return the CPUs this process may use: at least 1.

    The smaller of its affinity and of its container's quota; the machine's own count
    would start threads that only wait for each other.

    Args:
        quota: the file the quota is in.
    """
    allowed = len(os.sched_getaffinity(0))
    try:
        limit, period = quota.read_text().split()
        return max(1, min(allowed, int(limit) // int(period)))
    except (OSError, ValueError):
        return allowed


def inference_threads() -> int:
    """Return the threads of network and index, unless a setting names them.

    Half of the CPUs: the event loop needs one too, and a team that shares a processor
    waits for its slowest member at every one of a hundred steps (two busy cores, two
    threads: p99 2.5 s; one thread: 0.12 s).
    """
    return max(1, usable_cpus() // 2)
