"""Making a bundle out of a run and its corpus."""

import hashlib
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.bundle.bundle import INDEX, corpus_fingerprint, load_bundle
from app.bundle.catalogue import Catalogue
from app.bundle.index import NeighborIndex, require_match
from app.bundle.manifest import MANIFEST, Golden, Manifest, sha256_of
from app.inference.engine import Engine
from app.inference.golden import make_golden
from training.checkpoint import Checkpoint, load_checkpoint
from training.corpus.corpus import Corpus
from training.corpus.store import load_corpus
from training.errors import BundleError
from training.files import new_folder
from training.run_folder import BUNDLED, WEIGHTS

_UNASKED = Golden(context_rows=[0], prediction=[], rows=[], scores=[])
# Stands in the manifest until the bundle, loadable by then, has been asked.


def build_bundle(
    run: Path,
    bundles: Path,
    *,
    corpus: Path | None = None,
    index_kind: str = "flat",
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Make a bundle, or find that the same one is there already and whole.

    Args:
        run: folder of the run.
        bundles: folder to put the bundle in.
        corpus: folder of the corpus; None takes the one that the run's card names.
        index_kind: one of `app.bundle.index.INDEX_KINDS`.
        say: told each stage in plain words.

    Returns:
        The version.

    Raises:
        BundleError: a file of the run is missing, or the kind is unknown.
        CheckpointError: the run's checkpoint cannot be used.
        CorpusError: the corpus cannot be used.
        IndexMismatchError: the run was not trained on that corpus.
    """
    checkpoint = load_checkpoint(run)
    loaded = load_corpus(corpus or _corpus_folder(run, checkpoint.card))
    require_match(
        dim=checkpoint.model.config.dim,
        fingerprint=corpus_fingerprint(checkpoint.card),
        index_dim=loaded.dim,
        index_fingerprint=loaded.fingerprint,
    )
    version = _version(run, checkpoint, loaded, index_kind)
    folder = bundles / version
    if (folder / MANIFEST).exists():
        try:
            Manifest.load(folder).verify(folder)
        except BundleError as error:
            say(f"bundle {version} is damaged and is made anew: {error}")
        else:
            say(f"bundle {version} is there already")
            return version
    say(f"indexing {len(loaded.vectors):,} vectors of {loaded.card.name}")
    index = NeighborIndex.build(
        checkpoint.transform.apply(loaded.vectors),
        kind=index_kind,
        fingerprint=loaded.fingerprint,
    )
    with new_folder(folder) as new:
        for name in BUNDLED:
            shutil.copyfile(run / name, new / name)
        index.save(new / INDEX)
        Catalogue.of(loaded).save(new)
        seal(new, version, run.name, loaded, index_kind)
    say(f"bundle {version} is whole")
    return version


def seal(
    folder: Path, version: str, run: str, corpus: Corpus, index_kind: str = "flat"
) -> None:
    """Write `bundle.json` for the files in a folder, golden query included."""
    files = {
        path.name: sha256_of(path)
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    fields: dict[str, Any] = {
        "version": version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run,
        "index_kind": index_kind,
        "dim": corpus.dim,
        "num_vectors": len(corpus.vectors),
        "corpus_name": corpus.card.name,
        "corpus_fingerprint": corpus.fingerprint,
        "corpus_kind": corpus.kind,
        "model_version": files[WEIGHTS][:12],
        "index_version": files[INDEX][:12],
        "files": files,
    }
    Manifest(**fields, golden=_UNASKED).save(folder)
    golden = make_golden(Engine(load_bundle(folder)))
    Manifest(**fields, golden=golden).save(folder)


def _corpus_folder(run: Path, card: dict[str, Any]) -> Path:
    folder = (card.get("corpus") or {}).get("folder")
    if not folder:
        msg = f"{run}: its card names no corpus folder; name one with --corpus"
        raise BundleError(msg)
    return Path(folder)


def _version(run: Path, checkpoint: Checkpoint, corpus: Corpus, index_kind: str) -> str:
    """Name a bundle after its run and everything that goes into it."""
    digest = hashlib.sha256(f"{index_kind} {corpus.fingerprint}".encode())
    for name in BUNDLED:
        digest.update(sha256_of(run / name).encode())
    for text in corpus.texts or ():
        digest.update(text.encode() + b"\0")
    name = str(checkpoint.card.get("name") or run.name)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{slug or 'run'}-{digest.hexdigest()[:8]}"
