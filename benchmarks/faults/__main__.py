"""Every fault, and a report of them: ``python -m benchmarks.faults``.

    python -m benchmarks.faults [NAME [options of the one]]

Names are kills, bodies, overload, swaps, soak and fuzz. Without one all of them run
on the live bundle of ``artifacts/bundles``, in about 40 minutes, and the report goes to
``benchmarks/reports``. Everything happens on this machine, is bounded, and ends by
itself.
"""

import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from benchmarks.faults import bodies, fuzz, kills, overload, soak, swaps
from nextvec.training.files import write_bytes

FAULTS: Final[dict[str, Callable[[list[str]], list[str]]]] = {
    # the first, since it forks: no thread has computed yet
    "kills": kills.main,
    "bodies": bodies.main,
    "overload": overload.main,
    "swaps": swaps.main,
    "soak": soak.main,
    "fuzz": fuzz.main,
}


def main() -> None:
    """Run what was named, or everything."""
    name, *arguments = sys.argv[1:] or [""]
    if name in FAULTS:
        print("\n".join(FAULTS[name](arguments)))
        return
    if name in {"-h", "--help"}:
        print(__doc__)
        return
    if name:
        sys.exit(
            f"expected one of {', '.join(FAULTS)}, or nothing; got {name!r}\n{__doc__}"
        )
    now = datetime.now(UTC)
    machine = (
        f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, torch {version('torch')}, uvicorn "
        f"{version('uvicorn')}. Client and service share the machine."
    )
    lines = [f"# Faults, {now:%Y-%m-%d}", "", machine]
    for name, run in FAULTS.items():
        print(f"{name} ...", flush=True)
        lines += ["", *run([])]
    path = Path("benchmarks/reports") / f"{now:%Y-%m-%d}-faults.md"
    write_bytes(path, ("\n".join(lines) + "\n").encode())
    print(path.read_text())


if __name__ == "__main__":
    main()
