import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nextvec.training.commands.names import corpus_folder, one_corpus, run_folder
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import save_corpus
from nextvec.training.errors import CorpusError, TrainingError


def test_a_corpus_is_found_by_path_and_by_name(
    make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    made = tmp_path / "corpora/mine"
    save_corpus(make_corpus([130] * 3), made)
    # a crash left it, as good as whole
    shutil.copytree(made, tmp_path / "corpora/.other.new.tmp")

    assert corpus_folder(made, tmp_path) == made
    assert corpus_folder(Path("mine"), tmp_path / "corpora") == made
    with pytest.raises(CorpusError, match=r"yours: no corpus here.*there are: mine$"):
        corpus_folder(Path("yours"), tmp_path / "corpora")


def test_a_corpus_can_be_told_in_two_ways_but_is_one(
    make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    for name in ("mine", "yours"):
        save_corpus(make_corpus([130] * 3), tmp_path / name)
    mine, named = tmp_path / "mine", Path("mine")

    assert one_corpus(None, None, tmp_path) is None
    assert one_corpus(mine, None, tmp_path) == mine
    assert one_corpus(None, named, tmp_path) == mine
    assert one_corpus(named, mine, tmp_path) == mine
    with pytest.raises(CorpusError, match="expected one corpus, got mine and --corpus"):
        one_corpus(named, tmp_path / "yours", tmp_path)


def test_a_run_is_found_by_path_and_by_name(tmp_path: Path) -> None:
    for name in ("one", "two", ".shared"):
        (tmp_path / name).mkdir()

    assert run_folder(tmp_path / "one", Path("runs")) == tmp_path / "one"
    assert run_folder(Path("two"), tmp_path) == tmp_path / "two"
    with pytest.raises(TrainingError, match=r"no run here.*there are: one, two$"):
        run_folder(Path("three"), tmp_path)
    with pytest.raises(TrainingError, match="there are: none"):
        run_folder(Path("three"), tmp_path / "none")
