from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from training.commands.console import console, error_console
from training.commands.study import study
from training.study.report import MARKDOWN

SMALL = """
hidden_size = 8
num_slots = 4
num_lags = 4
bank_size = 64
batch_size = 4
warmup_steps = 2
max_epochs = 1
stride = 5
device = "cpu"
"""


@pytest.mark.slow
def test_a_study_makes_its_report_and_goes_on_from_its_results(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (console, error_console):
        monkeypatch.setattr(one, "_width", 300)
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    app = typer.Typer()
    app.command()(study)
    told = [
        *(str(tiny_folder), "--recipe", str(recipe), "--out", str(tmp_path / "out")),
        *("--runs", str(tmp_path / "runs"), "--architecture", "linear"),
        *("--architecture", "baseline", "--seed", "1", "--seed", "0"),
    ]

    first = CliRunner().invoke(app, told)
    again = CliRunner().invoke(app, told)

    assert first.exit_code == 0, first.output
    assert "run 4 of 4, tiny-baseline-" in first.output
    assert "targets (N = 1,148): too few documents to tell anything." in first.output
    assert again.output.count("its result is there already") == 4
    assert len(list((tmp_path / "out" / "results").iterdir())) == 4
    text = (tmp_path / "out" / MARKDOWN).read_text()
    assert "--architecture baseline --architecture linear --seed 0 --seed 1" in text

    # one more seed of one of them joins the report
    more = [*told[:7], "--architecture", "linear", "--seed", "2"]
    third = CliRunner().invoke(app, more)

    assert third.exit_code == 0, third.output
    text = (tmp_path / "out" / MARKDOWN).read_text()
    assert "| linear model | 0, 1, 2 |" in text
    assert "| Baseline GRU | 0, 1 |" in text
    assert "--architecture linear --seed 0 --seed 1 --seed 2" in text


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(study)

    done = CliRunner().invoke(app, [str(tmp_path / "nowhere")])

    assert done.exit_code == 1
    assert "nowhere" in done.stderr
