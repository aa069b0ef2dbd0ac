"""Python's garbage collector, kept out of the way of requests."""

import gc
from typing import Final

_AT_ONCE: Final = 50_000
# Objects more than were given back before the young are looked through. A body of JSON
# makes fewer, and all of them go by their reference counts; Python's own 700 meant 70
# passes for one, and each full one stopped everything for 130 to 240 ms.


def spare_collector() -> None:
    """Leave what was imported out of every collection, and collect seldom.

    Torch and the framework are some 240,000 objects that stay for ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_AT_ONCE)
