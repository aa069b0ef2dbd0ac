"""From start to ready with a million vectors: ``python -m benchmarks.speed.large``.

Then several services at once on the same bundle: what each holds in memory by part, and
what of that it shares.

The bundle is that of a small run whose rows were put in the place of many more, sealed
again: how long a start takes does not depend on what the network has learned.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil

from benchmarks.speed.service import memory_parts, running
from benchmarks.speed.training import small
from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.bundle.index import INDEX_KINDS, NeighborIndex
from nextvec.app.bundle.index_kinds import DEFAULT_KIND
from nextvec.app.bundle.manifest import MANIFEST
from nextvec.app.release.building import build_bundle, seal
from nextvec.app.release.registry import Registry
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.recipe import resolve
from nextvec.training.run import train
from nextvec.training.run_folder import CARD, GROUPS, HUBNESS
from nextvec.training.vectors import l2_normalize

_LENGTH = 200
_BETA = 0.5
_SHOWN_MIB = 1.0
_TEXT = "Passage {} of document {}: some words that stand for a text of usual length. "


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
        bundles = _make(Path(scratch), told.rows // _LENGTH, told.dim, told.index)
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


def _make(root: Path, documents: int, dim: int, kind: str) -> Path:
    """Return the folder of the bundles, the large one live."""
    corpus = save_corpus(_corpus(60, dim), root / "corpus")
    train(corpus, small(resolve("default", {})), root / "run")
    bundles = root / "bundles"
    built = build_bundle(root / "run", bundles, corpus=root / "corpus")
    large, folder = _corpus(documents, dim), bundles / "large"
    shutil.copytree(bundles / built.manifest.version, folder)
    (folder / MANIFEST).unlink()
    for name in (name for kind in INDEX_KINDS.values() for name in kind.files):
        (folder / name).unlink(missing_ok=True)
    card: dict[str, Any] = orjson.loads((folder / CARD).read_bytes())
    card["corpus"]["fingerprint"] = large.fingerprint
    (folder / CARD).write_bytes(orjson.dumps(card))
    hubness = np.random.default_rng(1).uniform(0, 0.2, len(large.vectors))
    np.save(folder / HUBNESS, hubness.astype(np.float32))
    np.save(folder / GROUPS, np.arange(len(large.vectors)))
    Catalogue.of(large).save(folder)
    index = NeighborIndex.build(
        np.asarray(large.vectors),
        hubness.astype(np.float32),
        kind=kind,
        fingerprint=large.fingerprint,
    )
    index.save(folder)
    betas = {"index": _BETA}
    sealed = seal(folder, "large", "run", large, index, betas)
    folder.rename(bundles / sealed.manifest.version)
    Registry(bundles).make_live(sealed)
    return bundles


def _corpus(documents: int, dim: int) -> Corpus:
    """Return documents that wander, each vector near the one before."""
    rng, num_rows = np.random.default_rng(0), documents * _LENGTH
    rows = rng.standard_normal((documents, _LENGTH, dim), np.float32)
    for place in range(1, _LENGTH):
        rows[:, place] += 0.8 * rows[:, place - 1]
    places = [divmod(row, _LENGTH) for row in range(num_rows)]
    return Corpus(
        vectors=l2_normalize(rows.reshape(-1, dim)),
        ids=[f"package-{document}/page#{place}" for document, place in places],
        rows=np.arange(num_rows),
        offsets=np.arange(documents + 1) * _LENGTH,
        document_ids=[f"package-{document}/page" for document in range(documents)],
        texts=[_TEXT.format(place, document) for document, place in places],
        card=CorpusCard(name="large", encoder="none", source="synthetic"),
    )


if __name__ == "__main__":
    main()
