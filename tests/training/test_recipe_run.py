from pathlib import Path

import pytest

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError, TrainingError
from nextvec.training.listener import NullListener
from nextvec.training.recipe_run import train_by_recipe
from nextvec.training.run import run_name
from nextvec.training.run_folder import SHARED


class Hearing(NullListener):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, what: str) -> None:
        self.stages.append(what)


@pytest.mark.slow
def test_a_recipe_on_a_folder_is_a_run_that_is_found_again(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tiny_folder: Path, tmp_path: Path
) -> None:
    told = tiny_config.to_dict() | {"max_epochs": 1}
    name = run_name(tiny_corpus, TrainingConfig.from_dict(told, source="test"))
    listener = Hearing()

    first = train_by_recipe(tiny_folder, None, told, runs=tmp_path)
    again = train_by_recipe(
        tiny_folder, "smoke", told, runs=tmp_path, listener=listener
    )

    # what is told wins over every recipe
    assert first == again
    assert first["name"] == name
    assert first["corpus"]["folder"] == str(tiny_folder)
    assert {path.name for path in tmp_path.iterdir()} == {name, SHARED}
    assert listener.stages == [f"run {name} is finished already"]


def test_an_option_is_refused_before_a_corpus_is_read(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"recipe default: lr: .* got 0"):
        train_by_recipe(tmp_path / "none", None, {"lr": 0}, runs=tmp_path)


def test_a_missing_corpus_is_named_and_leaves_no_run(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="none: no corpus here"):
        train_by_recipe(tmp_path / "none", None, {}, runs=tmp_path)

    assert list(tmp_path.iterdir()) == []
