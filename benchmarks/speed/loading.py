"""Loads a bundle part by part, ``python -m benchmarks.speed.loading BUNDLE``.

Prints what is resident after each as JSON, for `benchmarks.speed.memory`. Imports stand
where they are measured, so nothing of this project is imported before.
"""

import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.speed.resident import resident_parts


def stages(folder: Path) -> Iterator[str]:
    """Load the parts as the service does, and name each when it is there."""
    yield "Python"
    from nextvec.app.api import app  # noqa: PLC0415

    yield "imports of the service"
    import numpy as np  # noqa: PLC0415

    from nextvec.app.bundle.bundle import Bundle  # noqa: PLC0415
    from nextvec.app.bundle.catalogue import Catalogue  # noqa: PLC0415
    from nextvec.app.bundle.index import NeighborIndex  # noqa: PLC0415
    from nextvec.app.bundle.manifest import Manifest  # noqa: PLC0415
    from nextvec.app.inference.engine import Engine  # noqa: PLC0415
    from nextvec.training.checkpoint import load_checkpoint  # noqa: PLC0415
    from nextvec.training.evaluation.suite_store import load_suite  # noqa: PLC0415
    from nextvec.training.run_folder import GROUPS, VALIDATION  # noqa: PLC0415

    del app
    manifest, checkpoint = Manifest.load(folder), load_checkpoint(folder)
    yield "network"
    index = NeighborIndex.load(
        folder,
        dim=manifest.dim,
        kind=manifest.index_kind,
        fingerprint=manifest.corpus_fingerprint,
    )
    yield "index"
    catalogue = Catalogue.load(folder, manifest.corpus_kind)
    yield "names and texts"
    suite = load_suite(folder / VALIDATION)
    groups = np.load(folder / GROUPS, mmap_mode="r")
    yield "validation"
    bundle = Bundle(
        manifest=manifest,
        checkpoint=checkpoint,
        index=index,
        catalogue=catalogue,
        suite=suite,
        groups=groups,
        known=None,
        baselines={},
    )
    deque(Engine(bundle).warm(), maxlen=0)
    yield "first answers, 1 to 32 at once"


def main() -> None:
    """Print the stages."""
    process = psutil.Process()
    found = (
        {"part": part, "mib": resident_parts(process)}
        for part in stages(Path(sys.argv[1]))
    )
    print(json.dumps(list(found)))


if __name__ == "__main__":
    main()
