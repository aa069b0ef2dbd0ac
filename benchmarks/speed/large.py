"""From start to ready with a million vectors: ``python -m benchmarks.speed.large``.

Then several services at once on the same bundle: what each holds in memory by part, and
what of that it shares.

The bundle is one of `benchmarks.speed.synthetic`: how long a start takes does not
depend on what the network has learned.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psutil

from benchmarks.speed.resident import memory_parts
from benchmarks.speed.service import running
from benchmarks.speed.synthetic import Way, make_bundles
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.bundle.index import INDEX_KINDS
from nextvec.app.bundle.index_kinds import DEFAULT_KIND
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry

_SHOWN_MIB: Final = 1.0


def main() -> None:
    """Make the bundle, and start the service on it a few times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--index", choices=list(INDEX_KINDS), default=DEFAULT_KIND)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--together", type=int, default=2, help="services at once")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        ways = {"large": Way(told.index, EAGER)}
        made = make_bundles(Path(scratch), ways, rows=told.rows, dim=told.dim)
        bundles = made["large"].parent
        Registry(bundles).make_live(open_engine(made["large"]).bundle)
        for number in range(told.starts):
            with running(bundles) as (_, pid, startup_s):
                spent = psutil.Process(pid).cpu_times()
            print(
                f"start {number + 1}: ready after {startup_s:.1f} s "
                f"({spent.user + spent.system:.1f} s of processors)"
            )
        with ExitStack() as stack:
            pids = [
                stack.enter_context(running(bundles))[1] for _ in range(told.together)
            ]
            print("\n".join(memory_rows(psutil.Process(pids[0]), told.together)))


def memory_rows(process: psutil.Process, together: int) -> Iterator[str]:
    """Write what a process holds in memory by part, as a table.

    Args:
        process: one of several services on one bundle.
        together: how many there are.
    """
    yield f"Memory of one of {together} services, MiB:"
    yield ""
    yield "| part | resident | its share |"
    yield "|---|---|---|"
    parts = memory_parts(process)
    for name, (resident, share) in sorted(parts.items(), key=lambda one: -one[1][0]):
        # the smallest are headers and tables
        if resident >= _SHOWN_MIB:
            yield f"| {name} | {resident:.0f} | {share:.0f} |"
    whole = [sum(sizes) for sizes in zip(*parts.values(), strict=True)]
    yield f"| together | {whole[0]:.0f} | {whole[1]:.0f} |"


if __name__ == "__main__":
    main()
