import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import load_corpus, save_corpus
from nextvec.training.errors import (
    CheckpointError,
    CorpusError,
    TrainingError,
    VectorError,
)
from nextvec.training.evaluation.evaluation import Evaluation
from nextvec.training.files import write_json
from nextvec.training.rejudge import judge_checkpoint
from nextvec.training.run_folder import CARD, TRAINED, WEIGHTS


def plain(evaluation: Evaluation) -> Any:  # noqa: ANN401 - JSON
    return orjson.loads(orjson.dumps(evaluation.to_dict()))


def copy_with(finished_run: Path, folder: Path, **parts: Any) -> Path:  # noqa: ANN401
    """Copy weights and card, parts of the card changed."""
    folder.mkdir()
    shutil.copy(finished_run / WEIGHTS, folder)
    card = read_checkpoint_card(finished_run)
    write_json(folder / CARD, card | {n: card[n] | v for n, v in parts.items()})
    return folder


def test_on_its_own_corpus_a_checkpoint_gets_the_recorded_figures(
    finished_run: Path,
) -> None:
    judged = judge_checkpoint(finished_run, None)

    assert plain(judged.evaluation) == judged.card["evaluation"]
    assert judged.is_own_corpus
    assert judged.corpus == "tiny"
    pool = judged.evaluation.pool("documents")
    assert pool is not None
    assert pool.hit_at[5].value == judged.card["best_score"]


def test_weights_and_card_alone_are_enough(
    finished_run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    bare = copy_with(finished_run, tmp_path / "bare", corpus={"folder": None})

    judged = judge_checkpoint(bare, tiny_folder)

    assert plain(judged.evaluation) == judged.card["evaluation"]
    assert sorted(path.name for path in bare.iterdir()) == [WEIGHTS, CARD]


def test_without_a_corpus_one_is_asked_for(finished_run: Path, tmp_path: Path) -> None:
    bare = copy_with(finished_run, tmp_path / "bare", corpus={"folder": None})

    with pytest.raises(CheckpointError, match="names no corpus folder: give one with"):
        judge_checkpoint(bare, None)


def test_another_corpus_is_judged_and_said_to_be_another(
    finished_run: Path, make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    save_corpus(make_corpus([115] * 5, dim=12), tmp_path / "other")

    judged = judge_checkpoint(finished_run, tmp_path / "other")

    assert not judged.is_own_corpus
    documents = judged.evaluation.pool("documents")
    assert documents is not None
    assert documents.num_candidates == 115
    assert documents.lift is not None
    assert judged.evaluation.pool("targets") is None


def test_vectors_of_another_length_are_refused(
    finished_run: Path, make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    save_corpus(make_corpus([115] * 5, dim=7), tmp_path / "other")

    with pytest.raises(VectorError, match="length 7, the model takes 12"):
        judge_checkpoint(finished_run, tmp_path / "other")


def test_a_missing_corpus_is_named(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere: no corpus here"):
        judge_checkpoint(finished_run, tmp_path / "nowhere")


def test_options_of_another_version_are_refused(
    finished_run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    bare = copy_with(finished_run, tmp_path / "bare", options={"momentum": 0.5})

    with pytest.raises(TrainingError, match="bare: no option is called 'momentum'"):
        judge_checkpoint(bare, tiny_folder)


def test_what_it_was_trained_on_is_left_out_of_another_corpus(
    finished_run: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    own = load_corpus(tiny_folder)
    # the same documents, the last one left out: another split of the same content
    other = own.select(range(len(own.document_ids) - 1), name="other")
    save_corpus(other, tmp_path / "other")
    bare = copy_with(finished_run, tmp_path / "bare")

    unknown = judge_checkpoint(bare, tmp_path / "other")
    shutil.copy(finished_run / TRAINED, bare)
    known = judge_checkpoint(bare, tmp_path / "other")

    assert not unknown.knows_trained
    assert known.knows_trained
    assert known.evaluation.num_leaked > unknown.evaluation.num_leaked
