from dataclasses import replace
from pathlib import Path

import pytest
import typer
from safetensors import safe_open
from typer.testing import CliRunner

from benchmarks.starts import __main__ as command
from benchmarks.starts.__main__ import make_start
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.store import save_corpus


def test_a_start_is_made_without_some_documents(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    few = replace(
        tiny_corpus, document_ids=[*tiny_corpus.document_ids[:3], *"abcdefghi"]
    )
    config = replace(tiny_config, max_epochs=1)

    path = make_start(tiny_corpus, few, config, tmp_path / "out", tmp_path)

    assert path.name == "memory.safetensors"
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
    train = split_documents(tiny_corpus, config.split).train.tolist()
    assert told["documents"] == str(sum(number >= 3 for number in train))
    assert told["fingerprint"] == tiny_corpus.fingerprint
    assert told["corpus"] == told["left_out"] == "tiny"


@pytest.mark.slow
def test_the_command_makes_one_for_each_network(
    tiny_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "EPOCHS", 1)
    save_corpus(tiny_corpus, tmp_path / "tiny")
    none = replace(tiny_corpus, document_ids=list("abcdefghijkl"))
    save_corpus(none, tmp_path / "none")
    app = typer.Typer()
    app.command()(command.main)

    asked = {"corpus": "tiny", "without": "none", "out": "out", "runs": "runs"}
    words = [w for name, to in asked.items() for w in (f"--{name}", tmp_path / to)]
    made = CliRunner().invoke(app, [str(word) for word in words])

    assert made.exit_code == 0, made.output
    found = {path.stem for path in (tmp_path / "out").iterdir()}
    assert found == set(command.ARCHITECTURES)
