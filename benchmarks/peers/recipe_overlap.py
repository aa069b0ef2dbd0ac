"""Lift on test, with and without the documents by which a recipe was chosen.

python -m benchmarks.peers.recipe_overlap CORPUS --chosen-on OTHER --runs RUNS
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from nextvec.training.checkpoint import load_checkpoint
from nextvec.training.commands.console import console, handle_errors
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.errors import CorpusError, TrainingError
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.statistics import Estimate, estimate, points
from nextvec.training.evaluation.suite import build_suite
from nextvec.training.listener import NullListener
from nextvec.training.models.model import predict
from nextvec.training.preparation.kept_baselines import read_ranks
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run_folder import GROUPS, TEST_BASELINES
from nextvec.training.runs import finished_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifts:
    """Lift of one run in the primary pool, on all test windows and on some."""

    run: str
    all: Estimate
    num_windows: int
    without: Estimate
    num_windows_without: int


def seen_documents(corpus: Corpus) -> set[str]:
    """Names of the documents that a recipe has seen there: all but those of test."""
    split = split_documents(corpus, SplitConfig())
    documents = np.concatenate([split.train, split.validation])
    return {corpus.document_ids[document] for document in documents.tolist()}


def lifts_without(run: Path, corpus: Corpus, known: set[str]) -> Lifts:
    """Judge a finished run on its test windows, and on those of unknown documents.

    Args:
        run: folder of the run.
        corpus: that it was trained on.
        known: names of documents to leave out the second time.

    Raises:
        CheckpointError: there is no finished run.
        CorpusError: no test window is left.
        TrainingError: its baselines are of other windows.
    """
    checkpoint = load_checkpoint(run)
    config = TrainingConfig.from_dict(checkpoint.card["options"], source=str(run))
    with tempfile.TemporaryDirectory() as scratch:
        # it takes long, and nothing is written into the run
        shutil.copy(run / GROUPS, scratch)
        prepared = prepare(
            corpus,
            config,
            SharedCache(Path(scratch)),
            NullListener(),
            transform=checkpoint.transform,
        )
    suite = build_suite(
        corpus, prepared.split, prepared.groups, "test", stride=config.stride
    )
    windows, pool = suite.windows, suite.pool(suite.primary)
    prediction_QD = predict(checkpoint.model, *prepared.context(windows)).cpu()
    rank_Q = Ranker(
        prepared.vectors,
        prepared.groups,
        windows,
        pool,
        exclude_context=suite.excludes_context,
        score=prepared.score,
    ).ranks(prediction_QD)
    baseline_Q = read_ranks(run / TEST_BASELINES)[pool.name]
    if len(baseline_Q) != len(rank_Q):
        msg = f"{run}: expected {len(rank_Q)} ranks of baselines, got {len(baseline_Q)}"
        raise TrainingError(msg)
    gain_Q = (rank_Q <= suite.k).astype(float) - (baseline_Q <= suite.k)
    is_unknown_Q = np.array(
        [corpus.document_ids[d] not in known for d in windows.documents.tolist()]
    )
    if not is_unknown_Q.any():
        msg = f"{corpus.card.name}: every test document with windows is known"
        raise CorpusError(msg)
    return Lifts(
        run=run.name,
        all=estimate(gain_Q, windows.documents),
        num_windows=len(windows),
        without=estimate(gain_Q[is_unknown_Q], windows.documents[is_unknown_Q]),
        num_windows_without=int(is_unknown_Q.sum()),
    )


@handle_errors()
def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of the runs' corpus.")],
    *,
    chosen_on: Annotated[
        Path, typer.Option(help="Corpus on which the recipe was chosen.")
    ],
    runs: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path(
        "artifacts/runs"
    ),
) -> None:
    """Print a Markdown table, a row for each finished run on the corpus."""
    loaded = load_corpus(corpus)
    known = seen_documents(load_corpus(chosen_on))
    found = [
        folder
        for folder, card in finished_runs(runs)
        if card["corpus"]["fingerprint"] == loaded.fingerprint
    ]
    if not found:
        msg = f"{runs}: no finished run on {loaded.card.name}"
        raise TrainingError(msg)
    console.print("| run | all | windows | without them | windows |")
    console.print("|---|---|---|---|---|")
    for folder in found:
        lifts = lifts_without(folder, loaded, known)
        console.print(
            f"| {lifts.run} | {points(lifts.all)} | {lifts.num_windows:,} | "
            f"{points(lifts.without)} | {lifts.num_windows_without:,} |",
            markup=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    typer.run(main)
