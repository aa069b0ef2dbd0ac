"""Bundles that were changed, sealed again as if that were right."""

import shutil
from pathlib import Path
from typing import Any

import orjson

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.index import NeighborIndex
from nextvec.app.bundle.manifest import MANIFEST, Manifest
from nextvec.app.bundle.sealed_json import sealed
from nextvec.app.release.building import seal
from nextvec.training.checked import from_json
from nextvec.training.corpus.corpus import Corpus


def reseal(folder: Path, corpus: Corpus) -> Bundle:
    """Make a bundle of the files in a folder, which takes on the name of the bundle."""
    manifest = Manifest.load(folder)
    index = NeighborIndex.load(
        folder,
        dim=corpus.dim,
        kind=manifest.index_kind,
        fingerprint=corpus.fingerprint,
    )
    name = manifest.version.rpartition("-")[0]
    bundle = seal(folder, name, "run", corpus, index, manifest.betas)
    folder.rename(folder.with_name(bundle.manifest.version))
    return bundle


def fields_of(folder: Path) -> dict[str, Any]:
    """Return what the manifest of a bundle holds, its seal left out."""
    fields: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    del fields["seal"]
    return fields


def change(folder: Path, **fields: object) -> None:
    """Change the manifest of a bundle, and seal it; its version stays."""
    (folder / MANIFEST).write_bytes(sealed(fields_of(folder) | fields))


def renamed(folder: Path, name: str | None = None, **fields: object) -> Path:
    """Change the manifest of a bundle and give it the version that fits that.

    Args:
        folder: of the bundle, which is renamed.
        name: what the version begins with; None leaves it.
        fields: what to change.
    """
    told = fields_of(folder) | fields
    name = name or str(told["version"]).rpartition("-")[0]
    version = from_json(Manifest, orjson.dumps(told)).version_as(name)
    (folder / MANIFEST).write_bytes(sealed(told | {"version": version}))
    return folder.rename(folder.with_name(version))


def copied(folder: Path, name: str) -> Path:
    """Return a copy of a bundle beside it whose version begins with another name."""
    scratch = Path(shutil.copytree(folder, folder.with_name("copied-bundle")))
    return renamed(scratch, name)
