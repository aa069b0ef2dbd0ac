"""How evenly a machine computes: no deadline of two batches is kept better than that.

A virtual machine with neighbors can be several times slower for a tenth of a second,
and tells nobody: no time is counted as stolen, every thread is just slower.
"""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np

_STEPS: Final = 6_000
# Some .8 ms of the interpreter: shorter than any stall that matters to a batch.

_SLOW: Final = 2.0
# Times the median.


def steadiness(seconds: float) -> str:
    """Do the same again and again, and return in a sentence how long that took."""
    began = now = time.perf_counter()
    took_s = list[float]()
    while not took_s or now < began + seconds:
        before = now
        _work()
        now = time.perf_counter()
        took_s.append(now - before)
    return (
        f"The machine alone, {seconds:g} s before: the same loop in Python takes "
        + described(took_s)
    )


def described(took_s: Sequence[float]) -> str:
    """Return what some times of the same work say, in seconds each.

    A stall counts by how long it is, not as one of many.
    """
    times = np.array(took_s)
    median = float(np.median(times))
    share = float(times[times > _SLOW * median].sum() / times.sum())
    return (
        f"{1000 * median:.2f} ms in the median, {times.max() / median:.0f} times that "
        f"at most; {100 * share:.0f} % of the time it is slow (more than {_SLOW:g} "
        "times)."
    )


def _work() -> None:
    kept: dict[int, str] = {}
    for step in range(_STEPS):
        kept[step & 1023] = str(step & 7)
