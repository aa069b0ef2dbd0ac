"""Making a bundle out of a run and its corpus."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nextvec.app.bundle.bundle import (
    Bundle,
    corpus_fingerprint,
    load_parts,
)
from nextvec.app.bundle.catalogue import Catalogue
from nextvec.app.bundle.checksums import Checksums, sha256_of
from nextvec.app.bundle.engine_names import AUTO, EAGER
from nextvec.app.bundle.index import NeighborIndex, index_files, require_match
from nextvec.app.bundle.index_kinds import DEFAULT_KIND
from nextvec.app.bundle.known import KnownItems
from nextvec.app.bundle.manifest import (
    MANIFEST,
    EncoderFacts,
    Manifest,
    version_of,
)
from nextvec.app.bundle.vectors import num_columns
from nextvec.app.inference.baseline_engine import engine_of
from nextvec.app.inference.golden import make_golden, open_engine
from nextvec.app.release.engines import choose_engine, require_engine
from nextvec.training.checkpoint import Checkpoint, load_checkpoint
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.store import load_corpus
from nextvec.training.disk import require_space
from nextvec.training.errors import BundleError, ProjectError
from nextvec.training.evaluation.score import Score
from nextvec.training.evaluation.searched import SearchedSpace, space_of
from nextvec.training.folders import new_folder, sweep
from nextvec.training.run_folder import BUNDLED, HUBNESS, ITEM_BASELINE, WEIGHTS


def build_bundle(
    run: Path,
    bundles: Path,
    *,
    corpus: Path | None = None,
    index_kind: str = DEFAULT_KIND,
    plain_cosine: bool = False,
    engine: str = AUTO,
    begin: Callable[[str], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = ignore_progress,
) -> Bundle:
    """Make a bundle, or find that the same one is there already and whole.

    Args:
        run: folder of the run.
        bundles: folder to put the bundle in.
        corpus: folder of the corpus; None takes the one that the run's card names.
        index_kind: one of `nextvec.app.bundle.index.INDEX_KINDS`.
        plain_cosine: rank by cosine alone, whatever validation chose.
        engine: what runs the network (`choose_engine`).
        begin: told the version, before anything of a bundle that was never there is
            written.
        say: told each stage in plain words.
        progress: told how far each part is: vectors moved, files written, megabytes
            of checksums, steps of the trial.

    Returns:
        The bundle, loaded, which has answered its golden query: it can go live
        (`Registry.make_live`).

    Raises:
        BundleError: a file of the run is missing, or the kind or the engine
            is unknown.
        ProjectError: the disk has no room for it, or another process builds it.
        CheckpointError: the run's checkpoint cannot be used.
        CorpusError: the corpus cannot be used.
        IndexMismatchError: the run was not trained on that corpus.
    """
    require_engine(engine)
    sweep(bundles)
    checkpoint = load_checkpoint(run)
    loaded = load_corpus(corpus or _corpus_folder(run, checkpoint.card))
    require_match(
        dim=checkpoint.model.config.dim,
        fingerprint=corpus_fingerprint(checkpoint.card),
        index_dim=loaded.dim,
        index_fingerprint=loaded.fingerprint,
    )
    betas = {} if plain_cosine else dict(checkpoint.card["score"]["betas"])
    name = str(checkpoint.card.get("name") or run.name)
    version = version_of(
        name,
        files={taken: sha256_of(run / taken) for taken in _taken_over(run)},
        index_kind=index_kind,
        corpus_fingerprint=loaded.fingerprint,
        betas=betas,
        engine_asked=engine,
        texts_checksum=_texts_checksum(loaded),
    )
    folder = bundles / version
    if (folder / MANIFEST).exists():
        try:
            bundle = open_engine(folder, progress).bundle
        except ProjectError as error:
            say(f"bundle {version} is damaged and is made anew: {error}")
        else:
            say(f"bundle {version} is there already")
            return bundle
    else:
        begin(version)
    needed = _num_bytes(run, loaded, index_kind)
    require_space(bundles, needed, f"the bundle {version}")
    say(f"indexing {len(loaded.vectors):,} vectors of {loaded.card.name}")
    space = space_of(checkpoint.model, _given_space(run, checkpoint, loaded, progress))
    index = NeighborIndex.build(
        space.vectors.numpy(),
        space.score.hubness.numpy(),
        kind=index_kind,
        fingerprint=loaded.fingerprint,
    )
    with new_folder(folder) as new:
        _write_parts(new, run, loaded, index, progress)
        bundle = seal(
            new,
            name,
            run.name,
            loaded,
            index,
            betas,
            engine=engine,
            say=say,
            progress=progress,
        )
        if bundle.manifest.version != version:
            msg = f"{run}: it was changed while the bundle was made of it: build again"
            raise BundleError(msg)
    say(f"bundle {version} is whole")
    return bundle


def _num_bytes(run: Path, corpus: Corpus, index_kind: str) -> int:
    """Return what a bundle will take on a disk, names and texts at their shortest."""
    rows = len(corpus.vectors) * num_columns(corpus.dim) * np.dtype(np.float32).itemsize
    codes = len(corpus.vectors) * corpus.dim if index_files(index_kind) else 0
    taken_over = sum((run / name).stat().st_size for name in _taken_over(run))
    names = sum(map(len, corpus.ids)) + sum(map(len, corpus.texts or ()))
    return rows + codes + taken_over + names


def _write_parts(
    folder: Path, run: Path, corpus: Corpus, index: NeighborIndex, progress: Progress
) -> None:
    """Write every file of a bundle but the manifest."""
    steps: list[Callable[[], object]] = [
        *(
            partial(shutil.copyfile, run / name, folder / name)
            for name in _taken_over(run)
        ),
        partial(index.save, folder),
        partial(Catalogue.of(corpus).save, folder),
    ]
    if corpus.kind == "items":
        steps.append(partial(KnownItems.of(np.asarray(corpus.vectors)).save, folder))
    for done, step in enumerate(steps, start=1):
        step()
        progress("writing files", done, len(steps))


def _given_space(
    run: Path, checkpoint: Checkpoint, corpus: Corpus, progress: Progress
) -> SearchedSpace:
    """Return the space that a run started from."""
    hubness_N = np.load(run / HUBNESS, allow_pickle=False)
    vectors_ND = checkpoint.transform.apply(
        corpus.vectors, partial(progress, "moving vectors into the searched space")
    )
    score = Score(hubness=torch.from_numpy(hubness_N), curves={})
    return SearchedSpace(torch.from_numpy(vectors_ND), score)


def seal(
    folder: Path,
    name: str,
    run: str,
    corpus: Corpus,
    index: NeighborIndex,
    betas: dict[str, float],
    *,
    engine: str = EAGER,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = ignore_progress,
) -> Bundle:
    """Make a bundle of the files in a folder: ask it, and write `bundle.json`.

    Args:
        folder: that holds all other files of the bundle.
        name: what the version begins with (`version_of`).
        run: name of the run.
        corpus: whose rows the index holds.
        index: what was saved in the folder.
        betas: by pool, how much of their hubness candidates score less.
        engine: what runs the network (`choose_engine`).
        say: told which engine was chosen, and why.
        progress: told of the checksums, in megabytes, and of the trial, in steps.

    Returns:
        The bundle, loaded from the folder.

    Raises:
        ProjectError: the files are no bundle.
    """
    paths = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    checksums = Checksums(paths, partial(progress, "taking checksums, in MB"))
    files = checksums.all()
    texts_checksum = _texts_checksum(corpus)
    tried = partial(progress, "trying the bundle")
    tried(0, 4)
    unasked = Manifest(
        version=version_of(
            name,
            files=files,
            index_kind=index.kind,
            corpus_fingerprint=corpus.fingerprint,
            betas=betas,
            engine_asked=engine,
            texts_checksum=texts_checksum,
        ),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run=run,
        index_kind=index.kind,
        dim=corpus.dim,
        num_vectors=len(corpus.vectors),
        betas=betas,
        corpus_name=corpus.card.name,
        corpus_fingerprint=corpus.fingerprint,
        corpus_kind=corpus.kind,
        model_version=files.get(ITEM_BASELINE, files[WEIGHTS])[:12],
        index_version=index.digest()[:12],
        files=files,
        sizes={path.name: path.stat().st_size for path in paths},
        texts_checksum=texts_checksum,
        engine_asked=engine,
        encoder=_encoder_of(corpus),
        golden=None,
    )
    tried(1, 4)
    bundle = load_parts(folder, unasked)
    tried(2, 4)
    unasked = replace(unasked, engine=choose_engine(bundle, engine, say=say))
    bundle = replace(bundle, manifest=unasked)
    tried(3, 4)
    manifest = replace(unasked, golden=make_golden(engine_of(bundle)))
    manifest.save(folder)
    tried(4, 4)
    return replace(bundle, manifest=manifest)


def _encoder_of(corpus: Corpus) -> EncoderFacts | None:
    card = corpus.card
    if card.encoder_version is None or card.encoder_checksum is None:
        return None
    return EncoderFacts(
        name=card.encoder,
        version=card.encoder_version,
        checksum=card.encoder_checksum,
    )


def _corpus_folder(run: Path, card: dict[str, Any]) -> Path:
    folder = (card.get("corpus") or {}).get("folder")
    if not folder:
        msg = f"{run}: its card names no corpus folder; name one with --corpus"
        raise BundleError(msg)
    return Path(folder)


def _taken_over(run: Path) -> list[str]:
    """Name the files of a run that a bundle takes over as they are."""
    return [*BUNDLED, *([ITEM_BASELINE] if (run / ITEM_BASELINE).exists() else [])]


def _texts_checksum(corpus: Corpus) -> str | None:
    """Return the SHA-256 of the texts, each ended by a zero; None without texts."""
    if corpus.texts is None:
        return None
    digest = hashlib.sha256()
    for text in corpus.texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
