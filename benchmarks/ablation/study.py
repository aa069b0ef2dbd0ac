"""All runs of the study, each one found again if it is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ablation.data import Reference, StudyData
from benchmarks.ablation.results import Result, digest_of, load_result, save_result
from benchmarks.ablation.trainer import VariantTrainer
from benchmarks.ablation.variants import VARIANTS, StudyConfig, Variant
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError
from nextvec.training.files import write_bytes
from nextvec.training.listener import Listener
from nextvec.training.preparation.cache_key import cache_key
from nextvec.training.preparation.kept_baselines import best_baselines
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.vectors import CONTEXT_LENGTH

RESULTS: Final = "results"
"""Folder, in that of a study, with one file for each finished run."""

CACHE: Final = "cache"
"""Folder with windows, pools and baselines, made anew where it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that was measured."""

    data: StudyData
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
    data = _measured_on(corpus, config, folder, listener)
    results = {}
    for number, variant in enumerate(variants, start=1):
        digest = digest_of(corpus, variant, config)
        path = result_path(folder, variant, digest)
        listener.stage(f"{number} of {len(variants)}: {variant.name}, {variant.about}")
        result = load_result(path, digest)
        if result is None:
            result = VariantTrainer(data, variant).run(digest, listener.progress)
            save_result(path, result)
        results[variant.name] = result
    references = {reference.name: reference for reference in data.references()}
    return Study(data=data, results=results, references=references)


def result_path(folder: Path, variant: Variant, digest: str) -> Path:
    """Return where a run leaves its file: other options leave another one."""
    return folder / RESULTS / f"{variant.name}-{digest[:8]}.json"


def _measured_on(
    corpus: Corpus, config: StudyConfig, folder: Path, listener: Listener
) -> StudyData:
    # the original project searched the vectors as they were
    options = TrainingConfig(transform="identity", selection_pool="documents")
    # what is kept there names no corpus and no version: a folder for each
    kept = folder / CACHE / cache_key(corpus, options)
    kept.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / CACHE / ".gitignore", b"*\n")
    cache = SharedCache(kept)
    prepared = prepare(corpus, options, cache, listener)
    return StudyData(prepared, best_baselines(prepared, cache, listener), config)
