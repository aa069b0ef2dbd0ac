"""A server's processes: they can be held still, and are stopped all."""

import time
from contextlib import suppress
from typing import Final

import psutil

_TIMEOUT_S: Final = 20.0


class Tree:
    """A process that was started here, and whatever it has started."""

    def __init__(self, pid: int) -> None:
        """Take the tree under a process."""
        self._root = psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        """Return those that run, the root first; none when the root has ended."""
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def suspend(self) -> None:
        """Let none of them run until `resume`: even one that waits may poll."""
        for process in self.processes():
            process.suspend()

    def resume(self) -> None:
        """Let them run again."""
        for process in self.processes():
            process.resume()

    def processor_s(self) -> float:
        """Return the seconds of processors that those that run have taken so far."""
        spent = [process.cpu_times() for process in self.processes()]
        return sum(times.user + times.system for times in spent)

    def stop(self) -> None:
        """Ask the root to end, and kill those that it leaves behind."""
        started = self.processes()
        with suppress(psutil.NoSuchProcess):
            self._root.terminate()
        deadline = time.monotonic() + _TIMEOUT_S
        while _runs(self._root) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in started:
            # a process of another start time is not touched: psutil compares it
            with suppress(psutil.NoSuchProcess):
                if _runs(process):
                    process.kill()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
