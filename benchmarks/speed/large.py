"""From start to ready with a million vectors: ``python -m benchmarks.speed.large``.

The bundle is one of `benchmarks.speed.synthetic`: how long a start takes does not
depend on what the network has learned.
"""

import argparse
import tempfile
from pathlib import Path

import psutil

from benchmarks.speed.resident import resident_parts
from benchmarks.speed.service import running
from benchmarks.speed.synthetic import Way, make_bundles
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.bundle.index import INDEX_KINDS
from nextvec.app.bundle.index_kinds import DEFAULT_KIND
from nextvec.app.inference.golden import open_engine
from nextvec.app.release.registry import Registry


def main() -> None:
    """Make the bundle, and start the service on it a few times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--index", choices=list(INDEX_KINDS), default=DEFAULT_KIND)
    parser.add_argument("--starts", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        ways = {"large": Way(told.index, EAGER)}
        made = make_bundles(Path(scratch), ways, rows=told.rows, dim=told.dim)
        bundles = made["large"].parent
        Registry(bundles).make_live(open_engine(made["large"]).bundle)
        for number in range(told.starts):
            with running(bundles) as (_, pid, startup_s):
                process = psutil.Process(pid)
                spent = process.cpu_times()
                parts = resident_parts(process)
            sizes = ", ".join(f"{name} {size:.0f}" for name, size in parts.items())
            print(
                f"start {number + 1}: ready after {startup_s:.1f} s "
                f"({spent.user + spent.system:.1f} s of processors); MiB: {sizes}"
            )


if __name__ == "__main__":
    main()
