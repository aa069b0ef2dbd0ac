"""The thread that bundles are loaded in, beside the one that computes."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import torch
from threadpoolctl import threadpool_limits

from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.app.errors import NotReadyError
from nextvec.app.inference.baseline_engine import engine_of
from nextvec.app.inference.engine import Engine
from nextvec.app.release.loading import LoadingLog

T = TypeVar("T")

_LESS: Final = 10
# Steps that its priority is lowered by when something answers already, as nice(1) has
# them; threads that take checksums inherit it. With a million vectors loading on two
# busy CPUs 25 requests a second were answered instead of 6 to 17, p99 0.8 s, not 1.1.
_LEAST: Final = 19


class Loader:
    """Loads bundles in one thread that lives as long as it, one after the other.

    One, because each thread that enters OpenMP keeps a team of threads for ever: a new
    one for each bundle would leave its team behind each time. This one computes alone,
    so that it has no team either and a service that answers meanwhile keeps its
    processors.
    """

    def __init__(self, *, reads_all: bool = False) -> None:
        """Set it up; the thread begins with its first work.

        Args:
            reads_all: whether files are read for their checksums again that nobody
                has changed since.
        """
        self._reads_all = reads_all
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="loading", initializer=_keep_to_one
        )
        self._is_stopping = self._has_opened = False

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread, after what is under way there.

        Raises:
            NotReadyError: it is stopped.
        """
        if self._is_stopping:
            raise _stopped()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function)

    async def open(self, folder: Path) -> Engine:
        """Load a bundle and compare its checksums; its golden query is not asked.

        Raises:
            ProjectError: it is missing or damaged, or the service stops meanwhile.
        """
        return await self.call(partial(self._open, folder))

    def stop(self) -> None:
        """Stop; what is being loaded is given up at the next piece of a file."""
        self._is_stopping = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _open(self, folder: Path) -> Engine:
        if self._has_opened:
            _give_way()
        told = LoadingLog()

        def progress(stage: str, done: int, total: int) -> None:
            if self._is_stopping:
                raise _stopped()
            told(stage, done, total)

        verified = None if self._reads_all else VerifiedFiles.of_user()
        engine = engine_of(load_bundle(folder, progress, verified))
        # here, not at the first search, which would hold the inference thread
        engine.bundle.index.prepare()
        self._has_opened = True
        return engine


def _stopped() -> NotReadyError:
    return NotReadyError("the service is shutting down")


def _give_way() -> None:
    """Lower the priority of this thread alone, once and for all.

    Linux takes the number of a thread for that of a process; raising it again needs a
    privilege.
    """
    own = threading.get_native_id()
    now, whole = (os.getpriority(os.PRIO_PROCESS, one) for one in (own, os.getpid()))
    if now == whole:
        os.setpriority(os.PRIO_PROCESS, own, min(now + _LESS, _LEAST))


def _keep_to_one() -> None:
    """Keep OpenMP to one thread, in this thread alone.

    torch hands each thread its own number when it first computes there, so that comes
    first; ``torch.set_num_threads`` would hold MKL to one in all threads.
    """
    torch.get_num_threads()
    threadpool_limits(1, user_api="openmp")
