"""All runs of the study, each one found again if it is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ablation.ground import Ground, Reference
from benchmarks.ablation.results import Result, digest_of, load_result, save_result
from benchmarks.ablation.trainer import VariantTrainer
from benchmarks.ablation.variants import VARIANTS, StudyConfig, Variant
from training.config import TrainingConfig
from training.corpus.corpus import Corpus
from training.errors import CorpusError
from training.files import write_bytes
from training.listener import Listener
from training.preparation.preparation import Preparation, ground_name
from training.vectors import CONTEXT_LENGTH

RESULTS: Final = "results"
"""Folder, in that of a study, with one file for each finished run."""

CACHE: Final = "cache"
"""Folder with windows, pools and baselines, made anew where it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that was measured."""

    ground: Ground
    results: Mapping[str, Result]
    """Of each variant, by name."""

    references: Mapping[str, Reference]
    """What needs no training, by name."""


def run_study(
    corpus: Corpus,
    config: StudyConfig,
    folder: Path,
    listener: Listener,
    *,
    variants: Sequence[Variant] = VARIANTS,
) -> Study:
    """Make every run that is not finished, and measure what needs none.

    Args:
        corpus: of documents.
        config: options of the study.
        folder: of the study; made if it is missing.
        listener: hears of every run and epoch.
        variants: which runs.

    Raises:
        CorpusError: items, or too few passages for the pools.
    """
    if corpus.kind != "documents":
        msg = (
            f"{corpus.card.name}: the ablation study takes a corpus of documents, got "
            f"{corpus.kind}: a session has no {CONTEXT_LENGTH} vectors before a target"
        )
        raise CorpusError(msg)
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    ground = Ground(_prepare(corpus, folder, listener), config)
    results = {}
    for number, variant in enumerate(variants, start=1):
        digest = digest_of(corpus, variant, config)
        path = result_path(folder, variant, digest)
        listener.stage(f"{number} of {len(variants)}: {variant.name}, {variant.about}")
        result = load_result(path, digest)
        if result is None:
            result = VariantTrainer(ground, variant).run(digest, listener.progress)
            save_result(path, result)
        results[variant.name] = result
    references = {reference.name: reference for reference in ground.references()}
    return Study(ground=ground, results=results, references=references)


def result_path(folder: Path, variant: Variant, digest: str) -> Path:
    """Return where a run leaves its file: other options leave another one."""
    return folder / RESULTS / f"{variant.name}-{digest[:8]}.json"


def _prepare(corpus: Corpus, folder: Path, listener: Listener) -> Preparation:
    # the seed searched the vectors as they were
    config = TrainingConfig(transform="identity", selection_pool="documents")
    # what is kept there names no corpus and no version: a folder for each
    cache = folder / CACHE / ground_name(corpus, config)
    cache.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / CACHE / ".gitignore", b"*\n")
    return Preparation(corpus, config, cache, listener)
