"""Bundles that were changed, sealed again as if that were right."""

from pathlib import Path

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.bundle.manifest import Manifest
from nextvec.app.release.building import seal
from nextvec.training.corpus.corpus import Corpus


def reseal(folder: Path, corpus: Corpus) -> Bundle:
    manifest = Manifest.load(folder)
    index = NeighborIndex.load(
        folder,
        dim=corpus.dim,
        kind=manifest.index_kind,
        fingerprint=corpus.fingerprint,
    )
    return seal(folder, folder.name, "run", corpus, index, manifest.betas)
