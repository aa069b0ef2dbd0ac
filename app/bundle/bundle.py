"""A bundle: model, index, names and validation as one version, loaded or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from nextvec.app.bundle.catalogue import FILES as CATALOGUE_FILES
from nextvec.app.bundle.catalogue import TEXT_FILES, Catalogue
from nextvec.app.bundle.index import NeighborIndex, index_files
from nextvec.app.bundle.known import KNOWN, KnownItems
from nextvec.app.bundle.manifest import Manifest
from nextvec.app.bundle.mapped import mapped
from nextvec.app.bundle.vectors import VECTORS
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.training.checkpoint import Checkpoint, load_checkpoint
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.errors import BundleError, IndexMismatchError
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline
from nextvec.training.evaluation.item_baselines.storage import load_baseline
from nextvec.training.evaluation.suite import Suite
from nextvec.training.evaluation.suite_store import load_suite
from nextvec.training.run_folder import (
    BASELINES,
    BUNDLED,
    GROUPS,
    ITEM_BASELINE,
    VALIDATION,
)
from nextvec.training.vectors import Int64

REQUIRED: Final = frozenset((*BUNDLED, VECTORS, *CATALOGUE_FILES))
"""Files that every bundle has."""

OPTIONAL: Final = frozenset((*TEXT_FILES, ITEM_BASELINE))
"""Files that some have beside them, and beside those of their index."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Everything one version of the service needs, in memory."""

    manifest: Manifest
    checkpoint: Checkpoint
    index: NeighborIndex
    catalogue: Catalogue

    suite: Suite
    """The validation windows and pools."""

    groups: Int64
    """Duplicate group of each row, shape ``(N,)``."""

    known: KnownItems | None
    """Finds items by the vectors they were given; None for documents."""

    item_baseline: ItemBaseline | None = None
    """What answers in place of the network, if that was asked for; of items alone."""

    baselines: Mapping[str, Int64]
    """Rank that each pool's best baseline gives the windows' targets, ``(Q,)``."""

    @property
    def beta(self) -> float:
        """Share of its hubness that a row scores less where everything is searched."""
        return self.manifest.betas.get("index", 0.0)

    @property
    def card(self) -> dict[str, Any]:
        """The checkpoint's card."""
        return self.checkpoint.card

    @property
    def serves(self) -> str:
        """Name what answers: the architecture, or the closed form it did not better."""
        if self.checkpoint.model.is_run:
            return str(self.checkpoint.model.config.architecture)
        return str(self.card.get("base", "its base"))

    @property
    def verdict(self) -> str:
        """GO or NO-GO, as the run recorded it."""
        return str((self.card.get("readiness") or {}).get("verdict", "unknown"))


def load_bundle(
    folder: Path,
    progress: Progress = ignore_progress,
    verified: VerifiedFiles | None = None,
) -> Bundle:
    """Load a bundle and check that its parts are whole and belong together.

    The golden query is not asked here (`nextvec.app.inference.golden`).

    Args:
        folder: of the bundle.
        progress: told of the checksums, in megabytes.
        verified: files that need not be read again; None reads all.

    Raises:
        BundleError: missing, damaged, changed, in the place of another one, or parts
            that do not fit.
        CheckpointError: the weights or the card cannot be used.
        IndexMismatchError: model and index disagree.
    """
    manifest = Manifest.load(folder)
    manifest.require_folder(folder)
    _check_files(folder, manifest)
    manifest.verify(folder, partial(progress, "comparing checksums, in MB"), verified)
    return load_parts(folder, manifest)


def load_parts(folder: Path, manifest: Manifest) -> Bundle:
    """Load the parts of a bundle that belong to a manifest.

    Checksums are not compared here: whoever makes a bundle has just taken them.

    Raises:
        BundleError: a part is not listed, unreadable, or does not fit the others.
        CheckpointError: the weights or the card cannot be used.
        IndexMismatchError: model and index disagree.
    """
    _check_files(folder, manifest)
    checkpoint = load_checkpoint(folder)
    if ITEM_BASELINE in manifest.files and checkpoint.model.is_run:
        msg = f"{folder}: holds a baseline, and a network that is to be run beside it"
        raise BundleError(msg)
    index = NeighborIndex.load(
        folder,
        dim=manifest.dim,
        kind=manifest.index_kind,
        fingerprint=manifest.corpus_fingerprint,
    )
    index.require(
        dim=checkpoint.model.config.dim, fingerprint=corpus_fingerprint(checkpoint.card)
    )
    bundle = Bundle(
        manifest=manifest,
        checkpoint=checkpoint,
        index=index,
        catalogue=Catalogue.load(folder, manifest.corpus_kind),
        suite=load_suite(folder / VALIDATION),
        groups=mapped(folder / GROUPS, "groups", np.int64, (None,)),
        known=KnownItems.load(folder) if KNOWN in manifest.files else None,
        baselines=_load_baselines(folder / BASELINES),
        item_baseline=load_baseline(folder / ITEM_BASELINE)
        if ITEM_BASELINE in manifest.files
        else None,
    )
    _check_sizes(folder, bundle)
    return bundle


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Refuse a list of files that is not one of a bundle: too short, or too long."""
    required = REQUIRED | set(index_files(manifest.index_kind))
    required |= {KNOWN} if manifest.corpus_kind == "items" else set()
    listed, known = set(manifest.files), required | OPTIONAL
    if missing := required - listed:
        msg = f"{folder}: the bundle lists no {', '.join(sorted(missing))}"
        raise BundleError(msg)
    if unknown := listed - known:
        msg = f"{folder}: the bundle lists what none has: {', '.join(sorted(unknown))}"
        raise BundleError(msg)
    # such a file would be read though nothing says that it is whole
    if beside := sorted(n for n in known - listed if (folder / n).exists()):
        msg = f"{folder}: holds what the bundle does not list: {', '.join(beside)}"
        raise BundleError(msg)


def corpus_fingerprint(card: Mapping[str, Any]) -> str:
    """Return the fingerprint of the corpus that a checkpoint was trained on.

    Raises:
        IndexMismatchError: its card names none.
    """
    fingerprint = (card.get("corpus") or {}).get("fingerprint")
    if not isinstance(fingerprint, str):
        msg = "the checkpoint's card names no corpus fingerprint"
        raise IndexMismatchError(msg)
    return fingerprint


def _load_baselines(path: Path) -> Mapping[str, Int64]:
    try:
        return load_arrays(path.read_bytes())
    except (OSError, SafetensorError) as error:
        msg = f"{path}: the baselines are damaged: {error}"
        raise BundleError(msg) from error


def _check_sizes(folder: Path, bundle: Bundle) -> None:
    """Refuse parts of different sizes, each whole by itself."""
    n, windows = len(bundle.index), bundle.suite.windows
    expected = (len(windows),)
    found = {
        "vectors in its manifest": bundle.manifest.num_vectors,
        "names": len(bundle.catalogue),
        "duplicate groups": len(bundle.groups),
    }
    if bundle.known is not None:
        found["known vectors"] = len(bundle.known)
    for what, count in found.items():
        if count != n:
            msg = f"{folder}: {n} vectors in the index, but {count} {what}"
            raise IndexMismatchError(msg)
    if max(windows.target_rows.max(), windows.context_rows.max()) >= n:
        msg = f"{folder}: a validation window names a row outside 0..{n - 1}"
        raise IndexMismatchError(msg)
    for name, ranks in bundle.baselines.items():
        if ranks.shape != expected or ranks.dtype != np.int64:
            got = f"{ranks.dtype} {ranks.shape}"
            msg = f"{folder}: baseline of {name}: expected int64 {expected}, got {got}"
            raise IndexMismatchError(msg)
