"""A run that holds a baseline, so that a bundle of it can be made like any other."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.bits import Probabilistic, mean_bits
from nextvec.training.evaluation.diagnostics import shuffled
from nextvec.training.evaluation.evaluation import Evaluation, Judge, pool_result
from nextvec.training.evaluation.item_baselines.scored import ItemBaseline
from nextvec.training.evaluation.item_baselines.storage import baseline_bytes
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import PoolName
from nextvec.training.evaluation.readiness import assess
from nextvec.training.evaluation.statistics import estimate
from nextvec.training.evaluation.suite import PRIMARY_POOL, build_suite
from nextvec.training.files import write_bytes, write_json
from nextvec.training.listener import Listener, NullListener
from nextvec.training.preparation.best_baselines import BestBaselines
from nextvec.training.preparation.kept_baselines import (
    baselines_on_test,
    best_baselines,
)
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.recipe_run import train_by_recipe
from nextvec.training.run_folder import BUNDLED, CARD, ITEM_BASELINE, SHARED
from nextvec.training.vectors import Int64

Paired = Mapping[PoolName, tuple[str, Int64]]

_POOL: Final = PRIMARY_POOL["items"]
# The only one of items.


def baseline_run(
    run: Path,
    scratch: Path,
    *,
    runs: Path,
    corpus_folder: Path | None = None,
    listener: Listener | None = None,
) -> Path:
    """Make the run that holds the best predictor another one had without training.

    Of documents that is the closed form which it started from: its options with no
    epoch, among the other runs. Of items it is the best closed form over their ids.

    Args:
        run: folder of a finished run.
        scratch: folder to make one of items in: half a run, for a bundle alone.
        runs: folder of the runs.
        corpus_folder: where the corpus lies; None takes what the run's card names.
        listener: hears how it gets on.

    Returns:
        The folder of the run. Its card has the figures of what it holds.

    Raises:
        CheckpointError: the run's card cannot be read.
        CorpusError: the corpus is missing or unreadable.
    """
    card = read_checkpoint_card(run)
    corpus_folder = corpus_folder or Path(card["corpus"]["folder"])
    listener = listener or NullListener()
    if card["corpus"]["kind"] == "documents":
        options = card["options"] | {"max_epochs": 0}
        found = train_by_recipe(
            corpus_folder, None, options, runs=runs, listener=listener
        )
        return runs / str(found["name"])
    config = TrainingConfig.from_dict(card["options"], source=str(run))
    cache = SharedCache(run, runs / SHARED, listener)
    prepared = prepare(load_corpus(corpus_folder), config, cache, listener)
    chosen = best_baselines(prepared, cache, listener)
    listener.stage("fitting the baselines")
    name, baseline = _best_over_ids(prepared, chosen)
    listener.stage(f"judging {name}")
    folder = scratch / run.name
    folder.mkdir(parents=True)
    for file in BUNDLED:
        shutil.copyfile(run / file, folder / file)
    write_bytes(folder / ITEM_BASELINE, baseline_bytes(baseline))
    told = _judged(prepared, chosen, name, baseline, cache)
    write_json(folder / CARD, card | told | {"name": f"{card['name']}-baseline"})
    return folder


def _best_over_ids(
    prepared: Preparation, chosen: BestBaselines
) -> tuple[str, ItemBaseline]:
    """Choose on validation, in the pool that is served; return its name as well."""
    named = {baseline.name: baseline for baseline in prepared.fitted_baselines}
    over_ids = {n: one for n, one in named.items() if isinstance(one, ItemBaseline)}
    best = max(over_ids, key=lambda name: chosen.scores[name][_POOL])
    return best, over_ids[best]


def _judged(
    prepared: Preparation,
    chosen: BestBaselines,
    name: str,
    baseline: ItemBaseline,
    cache: SharedCache,
) -> dict[str, Any]:
    """Return what of a card is about the predictor, for a baseline."""
    corpus, judge, suite = prepared.corpus, prepared.judge, prepared.suite
    test_suite = build_suite(
        corpus, prepared.split, prepared.groups, "test", stride=prepared.config.stride
    ).in_pools_of(suite)
    test_judge = Judge(prepared.vectors, prepared.groups, test_suite, prepared.score)
    on_test = baselines_on_test(prepared, chosen, test_judge, cache)
    rank_Q, included_Q = _ranks(baseline, judge, suite.windows)
    evaluation = _evaluation(judge, baseline, chosen.paired(), rank_Q, included_Q)
    shuffled_Q, _ = _ranks(
        baseline, judge, shuffled(suite.windows, np.random.default_rng(0))
    )
    lost_Q = (rank_Q <= suite.k).astype(float) - (shuffled_Q <= suite.k)
    score = hit_at_k(rank_Q, suite.k)
    test_ranks = _ranks(baseline, test_judge, test_suite.windows)
    test = _evaluation(test_judge, baseline, on_test, *test_ranks)
    readiness = assess(
        evaluation,
        kind=corpus.kind,
        shuffled_loss=estimate(lost_Q, suite.windows.documents),
        recorded_score=chosen.scores[name][_POOL],
        restored_score=score,
        num_test_leaked=test_suite.num_leaked,
        is_test_clean=test_suite.is_clean,
    )
    return {
        "base": name,
        "is_better_than_base": False,
        "best_epoch": 0,
        "best_score": score,
        "start": None,
        "history": [],
        "evaluation": evaluation.to_dict(),
        "test_evaluation": test.to_dict(),
        "readiness": readiness.to_dict(),
        "diagnostics": None,
        "diagnosis": [],
        "examples": [],
    }


def _evaluation(
    judge: Judge,
    baseline: ItemBaseline,
    best: Paired,
    rank_Q: Int64,
    included_Q: Int64,
) -> Evaluation:
    """Judge a baseline; its lift is over the best one, often itself."""
    suite, pool = judge.suite, judge.suite.pool(_POOL)
    name, best_Q = best[_POOL]
    bits = None
    if isinstance(baseline, Probabilistic):
        bits = mean_bits(
            baseline, suite.windows, pool.size, excludes_context=suite.excludes_context
        )
    result = pool_result(
        pool,
        rank_Q,
        suite.windows.documents,
        k=suite.k,
        baseline=name,
        baseline_rank_Q=best_Q,
        with_context=hit_at_k(included_Q, suite.k) if suite.excludes_context else None,
        bits=bits,
    )
    # there is no vector to compare
    return judge.evaluation([result], mean_cosine=float("nan"))


def _ranks(
    baseline: ItemBaseline, judge: Judge, windows: Windows
) -> tuple[Int64, Int64]:
    """Rank the targets of a judge after these contexts, and with the context, too."""
    ranker = judge.rankers[_POOL]
    return ranker.ranks_and_included_by_scores(baseline.by_part(windows))
