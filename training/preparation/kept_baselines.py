"""The baselines of a run: measured once, and kept for it and for those to come."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from nextvec.training.checked import from_json
from nextvec.training.evaluation.baselines import closed_form_baseline
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.pools import POOLS, PoolName
from nextvec.training.files import read_json
from nextvec.training.listener import Listener
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.preparation.best_baselines import BestBaselines, by_name
from nextvec.training.preparation.cache_key import cache_key
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.shared_cache import Entry, SharedCache
from nextvec.training.run_folder import BASELINE_SCORES, BASELINES, TEST_BASELINES
from nextvec.training.vectors import Int64

Ranks = Mapping[PoolName, Int64]
"""Rank of each window's target by pool, each of shape ``(Q,)``."""


def best_baselines(
    prepared: Preparation, cache: SharedCache, listener: Listener
) -> BestBaselines:
    """Choose the best baseline of each pool on validation, if no run has done it.

    Args:
        prepared: of the run.
        cache: where the choice is found and kept.
        listener: hears how far the measuring has come.

    Raises:
        CorpusError: the corpus is too small for the selection pool.
    """

    def choose() -> BestBaselines:
        listener.stage("measuring the baselines")
        return BestBaselines.choose(
            prepared.fitted_baselines,
            prepared.judge,
            prepared.context(prepared.suite.windows),
            prepared.selection_pool,
            listener,
        )

    key = cache_key(prepared.corpus, prepared.config)
    return cache.get(BEST_BASELINES, choose, key=key)


def baselines_on_test(
    prepared: Preparation, chosen: BestBaselines, judge: Judge, cache: SharedCache
) -> Mapping[PoolName, tuple[str, Int64]]:
    """Rank the test targets by the baselines that validation chose.

    Args:
        prepared: of the run.
        chosen: which baselines.
        judge: of the test windows.
        cache: where the ranks are found and kept.

    Returns:
        For each pool of these windows name and ranks, as `Judge.evaluate` takes them.
    """
    names = {p: name for p, name in chosen.names.items() if p in judge.rankers}

    def measure() -> Ranks:
        contexts = prepared.context(judge.suite.windows)
        named = by_name(prepared.fitted_baselines)
        ranks = {n: named[n].ranks(judge, *contexts) for n in set(names.values())}
        return {pool: ranks[name][pool] for pool, name in names.items()}

    def load(folder: Path) -> Ranks:
        ranks = read_ranks(folder / TEST_BASELINES)
        if set(ranks) != set(names):
            msg = f"{folder}: expected ranks in {', '.join(names)}"
            raise ValueError(msg)
        return ranks

    entry = Entry(
        files=(TEST_BASELINES,),
        dump=lambda ranks: {TEST_BASELINES: _dump_ranks(ranks)},
        load=load,
    )
    key = cache_key(prepared.corpus, prepared.config)
    ranks = cache.get(entry, measure, key=key)
    return {pool: (name, ranks[pool]) for pool, name in names.items()}


def read_ranks(path: Path) -> dict[PoolName, Int64]:
    """Read ranks by pool; raises what a missing or damaged file raises."""
    ranks = load_arrays(path.read_bytes())
    return {pool: ranks[pool] for pool in POOLS if pool in ranks}


def _dump_ranks(ranks: Ranks) -> bytes:
    return save_arrays({str(pool): rank_Q for pool, rank_Q in ranks.items()})


def _dump(chosen: BestBaselines) -> dict[str, bytes]:
    about = {
        "names": chosen.names,
        "scores": chosen.scores,
        "estimates": chosen.estimates,
        "bits": chosen.bits,
        "plain": chosen.plain,
        "base": asdict(chosen.base.form),
    }
    return {
        BASELINES: _dump_ranks(chosen.ranks),
        BASELINE_SCORES: orjson.dumps(about, option=orjson.OPT_INDENT_2),
    }


def _load(folder: Path) -> BestBaselines:
    ranks = read_ranks(folder / BASELINES)
    about = read_json(folder / BASELINE_SCORES)
    if set(ranks) != set(about["names"]):
        msg = f"{folder}: expected ranks of {about['names']}, got {', '.join(ranks)}"
        raise ValueError(msg)
    form = from_json(ClosedForm, orjson.dumps(about["base"]))
    return BestBaselines(
        names=about["names"],
        ranks=ranks,
        scores=about["scores"],
        estimates=about["estimates"],
        bits=about["bits"],
        plain=about["plain"],
        base=closed_form_baseline(form),
    )


BEST_BASELINES: Final[Entry[BestBaselines]] = Entry(
    files=(BASELINES, BASELINE_SCORES), dump=_dump, load=_load
)
