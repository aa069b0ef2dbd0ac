"""How evenly a machine computes: what a deadline of two batches cannot be better than.

A virtual machine with neighbors can be several times slower for a tenth of a second,
and tells nobody: no time is counted as stolen, every thread is just slower.
"""

import time
from typing import Final

import numpy as np

_STEPS: Final = 6_000
# Some .8 ms of the interpreter.

_SLOW: Final = 2.0
_BIN_S: Final = 0.1


def steadiness(seconds: float) -> str:
    """Do the same again and again, and return in a sentence how long that took."""
    began = time.perf_counter()
    took, at = list[float](), list[float]()
    while (now := time.perf_counter()) < began + seconds:
        _work()
        at.append(now - began)
        took.append(time.perf_counter() - now)
    took_s = np.array(took)
    median_s, p99_s = np.percentile(took_s, (50, 99))
    bins = (np.array(at) / _BIN_S).astype(int)
    spent_s = np.bincount(bins, took_s)
    slow_s = np.bincount(bins, took_s * (took_s > _SLOW * median_s))
    share = float((slow_s > spent_s / 2).mean())
    return (
        f"The machine alone, {seconds:g} s before: the same loop in Python takes "
        f"{1000 * median_s:.2f} ms in the median, {p99_s / median_s:.1f} times that at "
        f"p99 and {took_s.max() / median_s:.0f} times at most; {100 * share:.0f} % of "
        f"all tenths of a second are slow (more than {_SLOW:g} times for most of it)."
    )


def _work() -> None:
    kept: dict[int, str] = {}
    for step in range(_STEPS):
        kept[step & 1023] = str(step & 7)
