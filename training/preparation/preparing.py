"""How a run is prepared: what is computed, and what of it is kept."""

import io
from pathlib import Path
from typing import Final

import numpy as np
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.duplicates import groups_of
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.unique import UInt64, row_keys
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.searched import SearchedSpace
from nextvec.training.evaluation.suite import Suite, build_suite
from nextvec.training.evaluation.suite_store import load_suite, save_suite
from nextvec.training.files import array_bytes
from nextvec.training.listener import Listener
from nextvec.training.preparation.cache_key import cache_key, corpus_key
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.scoring import (
    KEPT_BANK,
    KEPT_SCORE,
    choose_score,
    draw_bank,
)
from nextvec.training.preparation.shared_cache import Entry, SharedCache
from nextvec.training.run_folder import GROUPS, VALIDATION
from nextvec.training.transform import Transform
from nextvec.training.vectors import Int64


def prepare(
    corpus: Corpus,
    config: TrainingConfig,
    cache: SharedCache,
    listener: Listener,
    *,
    transform: Transform | None = None,
    trained_keys: UInt64 | None = None,
) -> Preparation:
    """Compute what a run needs; groups and windows are kept, the rest takes moments.

    Args:
        corpus: to train or to judge on.
        config: the options of the run.
        cache: where groups and windows are found and kept.
        listener: hears of every stage.
        transform: the one to use; None fits one on the training documents.
        trained_keys: keys of vectors that a model of another corpus was trained
            on: windows with such a target count as leaked. No key names them: give
            a cache that keeps nothing.

    Raises:
        CorpusError: too small to be split, or its vectors were made from the
            training sequences of another split.
    """
    _require_split(corpus, config.split)
    unit = "sequence" if corpus.kind == "items" else "document"
    listener.stage(f"splitting by {unit}, finding duplicates")
    split = split_documents(corpus, config.split)
    group_N = cache.get(
        _GROUPS,
        lambda: groups_of(corpus, listener.progress),
        # of the corpus alone: shared by all splits; those of items cost nothing
        key=corpus_key(corpus) if corpus.kind == "documents" else None,
    )
    listener.stage("fitting the transform, cutting windows")
    train_rows = corpus.rows_of(split.train)
    transform = transform or Transform.fit(
        np.asarray(corpus.vectors[train_rows]), config.transform_config
    )
    vectors_ND = torch.from_numpy(transform.apply(corpus.vectors))
    suite = cache.get(
        _SUITE,
        lambda: build_suite(
            corpus,
            split,
            group_N,
            "validation",
            stride=config.stride,
            also_trained_N=_also_trained(corpus, trained_keys),
        ),
        key=cache_key(corpus, config),
    )
    listener.stage("measuring hubs, choosing how candidates are scored")
    bank = cache.get(
        KEPT_BANK,
        lambda: draw_bank(vectors_ND, corpus, split),
        key=cache_key(corpus, config),
    )
    score = cache.get(
        KEPT_SCORE,
        lambda: choose_score(
            vectors_ND, corpus, bank, group_N, suite, listener.progress
        ),
        key=cache_key(corpus, config),
    )
    return Preparation(
        corpus=corpus,
        config=config,
        split=split,
        groups=group_N,
        train_rows=train_rows,
        transform=transform,
        space=SearchedSpace(vectors_ND, score),
        suite=suite,
        judge=Judge(vectors_ND, group_N, suite, score),
    )


def _require_split(corpus: Corpus, split: SplitConfig) -> None:
    """Refuse vectors that were made from sequences which are not all for training."""
    made_on = corpus.card.vectors_split
    wanted = {
        "seed": split.seed,
        "validation": split.validation,
        "test": split.test,
    }
    if made_on is not None and made_on != wanted:
        msg = (
            f"{corpus.card.name}: its vectors were made from the training sequences of "
            f"split {made_on}, got {wanted}: train with that split, or make the corpus "
            "anew with this one"
        )
        raise CorpusError(msg)


def _also_trained(corpus: Corpus, keys: UInt64 | None) -> np.ndarray | None:
    """Return which rows have one of the keys, booleans ``(N,)``; None without keys."""
    return None if keys is None else np.isin(row_keys(np.asarray(corpus.vectors)), keys)


def _load_groups(folder: Path) -> Int64:
    return np.asarray(np.load(folder / GROUPS, allow_pickle=False))


def _dump_suite(suite: Suite) -> dict[str, bytes]:
    data = io.BytesIO()
    save_suite(data, suite)
    return {VALIDATION: data.getvalue()}


_GROUPS: Final[Entry[Int64]] = Entry(
    files=(GROUPS,),
    dump=lambda group_N: {GROUPS: array_bytes(group_N)},
    load=_load_groups,
)

_SUITE: Final[Entry[Suite]] = Entry(
    files=(VALIDATION,),
    dump=_dump_suite,
    load=lambda folder: load_suite(folder / VALIDATION),
)
