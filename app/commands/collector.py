"""Python's garbage collector, kept out of the way of starts and of requests."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_AT_ONCE: Final = 50_000
# Objects more than were given back before the young are looked through. A body of JSON
# makes fewer, and all of them go by their reference counts; Python's own 700 meant 70
# passes for one, and each full one stopped everything for 130 to 240 ms.


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector out of a block that makes what stays.

    Modules are hundreds of thousands of objects, and looking through all of them
    again and again takes a sixth of the time that importing torch and the service
    takes. They are not looked through later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def spare_collector() -> None:
    """Leave what is there out of every collection, and collect seldom."""
    gc.freeze()
    gc.set_threshold(_AT_ONCE)
