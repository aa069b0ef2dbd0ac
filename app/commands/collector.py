"""Starting without the garbage collector, which has nothing to find."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
