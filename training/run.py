"""A run, whole: corpus and options in, a folder with everything about it out."""

import hashlib
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import torch
from filelock import FileLock, Timeout

from nextvec.training.checkpoint import FORMAT, model_settings
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.diagnostics import diagnose
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.readiness import assess
from nextvec.training.evaluation.searched import judge_in, space_of
from nextvec.training.evaluation.sequence_hits import sequence_hits
from nextvec.training.evaluation.suite import PROTOCOL, build_suite
from nextvec.training.files import read_json, sweep_files, write_json
from nextvec.training.fit.candidates import training_windows
from nextvec.training.fit.loop import fit
from nextvec.training.fit.start import Start
from nextvec.training.listener import Listener, NullListener
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.kept_baselines import (
    baselines_on_test,
    best_baselines,
)
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.preparation.trained_keys import keep_trained_keys
from nextvec.training.reporting.diagnosis import findings
from nextvec.training.reporting.examples import choose_examples
from nextvec.training.reporting.history import write_history
from nextvec.training.reporting.page import write_report
from nextvec.training.run_folder import (
    CARD,
    HISTORY,
    LOCK,
    OPTIONS,
    SEQUENCES,
    STATE,
    is_finished,
)

_NUM_MEASURED: Final = 500
# 50,000 places: figures of more differ in the third digit.


def run_name(corpus: Corpus, config: TrainingConfig) -> str:
    """Name a run after its corpus, architecture and options.

    The same options on the same corpus give the same name, so a run that is there
    already is found again.
    """
    told = orjson.dumps(config.to_dict(), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(corpus.fingerprint.encode() + told).hexdigest()
    return f"{corpus.card.name}-{config.architecture}-{digest[:8]}"


def train(
    corpus: Corpus,
    config: TrainingConfig,
    folder: Path,
    *,
    corpus_folder: Path | None = None,
    shared: Path | None = None,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Train, judge and describe a model; go on where an earlier attempt stopped.

    Args:
        corpus: what to train on.
        config: the options.
        folder: where the run lives; made if missing.
        corpus_folder: where the corpus lies, for the card.
        shared: folder where runs leave for each other what depends on corpus, split
            and space alone (`nextvec.training.run_folder.SHARED`); None shares nothing.
        listener: hears how it gets on.

    Returns:
        The card, as written to ``folder/card.json``.

    Raises:
        TrainingError: another process works in the folder, it holds a run with other
            options, or training failed.
        CorpusError: the corpus is too small to be split.
    """
    listener = listener or NullListener()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            sweep_files(folder)
            _claim(folder, corpus, config)
            if is_finished(folder):
                card: dict[str, Any] = read_json(folder / CARD)
                return card
            return _train(corpus, config, folder, corpus_folder, shared, listener)
    except Timeout as error:
        msg = f"{folder}: another process is training this run"
        raise TrainingError(msg) from error


def _claim(folder: Path, corpus: Corpus, config: TrainingConfig) -> None:
    """Refuse to mix two runs in one folder."""
    told = {
        "protocol": PROTOCOL,
        "format": FORMAT,
        "corpus": corpus.fingerprint,
        "options": config.to_dict(),
    }
    path = folder / OPTIONS
    if not path.exists():
        write_json(path, told)
        return
    try:
        there = read_json(path)
        options = dict(there["options"])
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{path}: cannot be read ({error}); delete the run to start anew"
        raise TrainingError(msg) from error
    if there != told:
        differing = [
            f"{name} was {options.get(name)!r}, is {value!r}"
            for name, value in config.to_dict().items()
            if options.get(name) != value
        ]
        if there.get("corpus") != corpus.fingerprint:
            differing.append("the corpus is another")
        if there.get("protocol") != PROTOCOL:
            was = there.get("protocol")
            differing.append(f"the evaluation protocol was {was}, is {PROTOCOL}")
        if there.get("format") != FORMAT:
            was = there.get("format")
            differing.append(f"the format of checkpoints was {was}, is {FORMAT}")
        msg = (
            f"{folder}: holds a run with other options: {'; '.join(differing)}; delete "
            "it, or give this one another --name"
        )
        raise TrainingError(msg)


def _train(
    corpus: Corpus,
    config: TrainingConfig,
    folder: Path,
    corpus_folder: Path | None,
    shared: Path | None,
    listener: Listener,
) -> dict[str, Any]:
    cache = SharedCache(folder, shared, listener)
    prepared = prepare(corpus, config, cache, listener)
    keep_trained_keys(prepared, folder)
    # made before training: a corpus without test windows must not cost a training
    test_suite = build_suite(
        corpus, prepared.split, prepared.groups, "test", stride=config.stride
    ).in_pools_of(prepared.suite)
    baselines = best_baselines(prepared, cache, listener)
    torch.manual_seed(config.seed)
    model = untrained_model(prepared, baselines.base.form)
    start = Start.find(prepared, model)
    listener.stage("training")
    trained = fit(model, prepared, config, folder, listener, start)
    listener.stage("judging the best weights on validation")
    space = space_of(trained.model, prepared.space)
    judge = judge_in(prepared.judge, space, prepared.space)
    prediction = space.predict(trained.model, prepared.suite.windows)
    listener.progress(1, 2)
    evaluation = judge.evaluate(prediction, baselines.paired())
    listener.progress(2, 2)
    listener.stage("taking away order, length and memory: what each is worth")
    diagnostics = diagnose(
        trained.model,
        judge,
        space,
        prepared.groups,
        corpus.document_of_row,
        progress=listener.progress,
    )
    readiness = assess(
        evaluation,
        kind=corpus.kind,
        shuffled_loss=diagnostics.shuffled_loss,
        recorded_score=trained.best_score,
        restored_score=trained.restored_score,
        num_test_leaked=test_suite.num_leaked,
        is_test_clean=test_suite.is_clean,
    )
    listener.stage("one look at the test documents")
    given_judge = Judge(prepared.vectors, prepared.groups, test_suite, prepared.score)
    test_baselines = baselines_on_test(prepared, baselines, given_judge, cache)
    listener.progress(1, 3)
    test_judge = judge_in(given_judge, space, prepared.space)
    test_prediction = space.predict(trained.model, test_suite.windows)
    listener.progress(2, 3)
    test = test_judge.evaluate(test_prediction, test_baselines)
    if corpus.kind == "items":
        sequences = {
            "evaluation": sequence_hits(
                prepared.suite,
                judge.ranks(prediction),
                baselines.paired(),
                corpus.document_ids,
            ),
            "test_evaluation": sequence_hits(
                test_suite,
                test_judge.ranks(test_prediction),
                test_baselines,
                corpus.document_ids,
            ),
        }
        write_json(folder / SEQUENCES, sequences)
    card = {
        "format": FORMAT,
        "protocol": PROTOCOL,
        "name": folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model_settings(trained.model.config),
        "options": config.to_dict(),
        "corpus": _corpus_facts(corpus, corpus_folder),
        "split": _split_facts(prepared),
        "k": prepared.suite.k,
        "selection_pool": prepared.selection_pool,
        "repeat_share": prepared.suite.repeat_share,
        "score": space.score.to_dict(),
        "best_epoch": trained.best_epoch,
        "best_score": trained.best_score,
        "is_better_than_base": trained.best_epoch > 0,
        "start": None if start is None else start.to_dict(),
        "base": _base_name(trained.model, baselines.base.name),
        "history": [epoch.to_dict() for epoch in trained.history],
        "evaluation": evaluation.to_dict(),
        "test_evaluation": test.to_dict(),
        "baselines": baselines.scores,
        "baseline_estimates": baselines.estimates,
        "baseline_bits": baselines.bits,
        "baseline_plain": baselines.plain,
        "diagnostics": diagnostics.to_dict(),
        "readiness": readiness.to_dict(),
        "examples": choose_examples(prepared, judge, prediction, seed=config.seed),
        "seed": config.seed,
        "seconds": sum(epoch.seconds for epoch in trained.history),
        "versions": _versions(),
    }
    card["diagnosis"] = [finding.to_dict() for finding in findings(card)]
    listener.stage("writing the report")
    write_history(folder / HISTORY, trained.history)
    write_report(folder, card)
    # last: a folder with a card holds a finished run
    write_json(folder / CARD, card)
    (folder / STATE).unlink(missing_ok=True)
    # as it is found later: JSON has no infinity for an interval without end
    written: dict[str, Any] = read_json(folder / CARD)
    return written


def untrained_model(prepared: Preparation, base: ClosedForm) -> NextVectorModel:
    """Build the network of a run, as it is before its first step.

    Args:
        prepared: of the run.
        base: what it predicts of documents until it has learned better.
    """
    corpus, is_items = prepared.corpus, prepared.corpus.kind == "items"
    model = NextVectorModel(
        ModelConfig.of(
            prepared.config,
            dim=corpus.dim,
            base=base,
            num_items=len(corpus.vectors) if is_items else 0,
            can_copy=is_items and not prepared.suite.excludes_context,
        )
    )
    if model.config.weighs_places:
        rng = np.random.default_rng(prepared.config.seed)
        some = training_windows(prepared, prepared.config.stride, _NUM_MEASURED, rng)
        model.standardize(*prepared.context(some))
    if model.items is not None:
        model.items.start(prepared.vectors, torch.from_numpy(prepared.item_counts))
    return model


def _base_name(model: NextVectorModel, closed_form: str) -> str:
    """Name what the untrained network predicts."""
    if model.items is None:
        return closed_form
    if model.copying is None:
        return "popularity"
    return "popularity with a cache of the context"


def _corpus_facts(corpus: Corpus, folder: Path | None) -> dict[str, Any]:
    return {
        "name": corpus.card.name,
        "kind": corpus.kind,
        "encoder": corpus.card.encoder,
        "source": corpus.card.source,
        "licenses": corpus.card.licenses,
        "windows_declared_independent": corpus.card.windows_declared_independent,
        "fingerprint": corpus.fingerprint,
        "num_vectors": len(corpus.vectors),
        "num_documents": len(corpus.document_ids),
        "folder": str(folder) if folder else None,
    }


def _split_facts(prepared: Preparation) -> dict[str, Any]:
    split = prepared.split
    return {
        "seed": prepared.config.split_seed,
        "num_train": len(split.train),
        "num_validation": len(split.validation),
        "num_test": len(split.test),
        "fingerprint": split.fingerprint(prepared.corpus),
        "num_windows": len(prepared.suite.windows),
        "num_leaked": prepared.suite.num_leaked,
    }


def _versions() -> dict[str, str]:
    names = ("nextvec", "torch", "numpy", "lightning-fabric", "safetensors")
    return {"python": platform.python_version()} | {n: version(n) for n in names}
