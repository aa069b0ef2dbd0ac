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
from nextvec.app.bundle.catalogue import Catalogue
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
        BundleError: missing, damaged, or parts that do not fit.
        CheckpointError: the weights or the card cannot be used.
        IndexMismatchError: model and index disagree.
    """
    manifest = Manifest.load(folder)
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
    required = REQUIRED | set(index_files(manifest.index_kind))
    required |= {KNOWN} if manifest.corpus_kind == "items" else set()
    missing = required - set(manifest.files)
    if missing:
        msg = f"{folder}: the bundle lists no {', '.join(sorted(missing))}"
        raise BundleError(msg)
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
    found = {"names": len(bundle.catalogue), "duplicate groups": len(bundle.groups)}
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
        if ranks.shape != expected:
            shape = ranks.shape
            msg = f"{folder}: baseline of {name}: expected {expected}, got {shape}"
            raise IndexMismatchError(msg)
