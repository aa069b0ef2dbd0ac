from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks.ablation import __main__ as command
from benchmarks.ablation import study as study_module
from benchmarks.ablation.failures import FAILURES
from benchmarks.ablation.variants import StudyConfig
from nextvec.training.commands.console import console, error_console
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import save_corpus

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for one in (console, error_console):
        monkeypatch.setattr(one, "_width", 300)
    app = typer.Typer()
    app.command()(command.ablation)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return run


@pytest.mark.slow
def test_one_command_makes_the_study_and_its_report(
    invoke: Invoke, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the options that a person cannot give are those of the real study: too large here
    def small(*, epochs: int, seed: int) -> StudyConfig:
        return StudyConfig(
            epochs=epochs, seed=seed, hidden_size=4, num_layers=1, num_slots=4
        )

    monkeypatch.setattr(command, "StudyConfig", small)

    result = invoke(tiny_folder, "--out", tmp_path / "study", "--epochs", 1)

    assert result.exit_code == 0, result.output
    for failure in FAILURES:
        assert failure.name in result.output
    for name in ("ablation.html", "ablation.md", "ablation.svg"):
        assert f"Written: {tmp_path / 'study' / name}" in result.output
        assert (tmp_path / "study" / name).exists()
    kept = (tmp_path / "study" / study_module.CACHE / ".gitignore").read_text()
    assert kept == "*\n"


def test_items_are_refused_in_a_sentence(
    invoke: Invoke, make_items: Callable[..., Corpus], tmp_path: Path
) -> None:
    save_corpus(make_items([150] * 12), tmp_path / "sessions")

    result = invoke(tmp_path / "sessions", "--out", tmp_path / "study")

    assert result.exit_code == 1
    assert "takes a corpus of documents, got items" in result.output
