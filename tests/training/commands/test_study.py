from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from nextvec.training.commands.console import console, error_console
from nextvec.training.commands.study import study
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import save_corpus
from nextvec.training.files import read_json
from nextvec.training.study.report import MARKDOWN
from nextvec.training.vectors import l2_normalize

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


@pytest.mark.slow
def test_splits_of_item_sequences_are_pooled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (console, error_console):
        monkeypatch.setattr(one, "_width", 300)
    rng = np.random.default_rng(0)
    number, length = 80, 30
    rows = (rng.integers(24, size=(number, 1)) + 5 * np.arange(length)) % 24
    # an accident each, or sequences would be the same
    rows[np.arange(number), rng.integers(length, size=number)] = 0
    corpus = Corpus(
        vectors=l2_normalize(rng.normal(size=(24, 8))),
        ids=[f"item{i}" for i in range(24)],
        rows=rows.ravel(),
        offsets=np.arange(number + 1) * length,
        document_ids=[f"session{s}" for s in range(number)],
        card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
        kind="items",
    )
    save_corpus(corpus, tmp_path / "sessions")
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    app = typer.Typer()
    app.command()(study)
    told = [
        *(str(tmp_path / "sessions"), "--recipe", str(recipe)),
        *("--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")),
        *("--architecture", "linear", "--split-seed", "0", "--split-seed", "7"),
    ]

    done = CliRunner().invoke(app, told)

    assert done.exit_code == 0, done.output
    assert "validation, index (N = 24): " in done.output
    assert "“the best of each split”" in done.output
    text = (tmp_path / "out" / MARKDOWN).read_text()
    assert "--split-seed 0 --split-seed 7" in text
    lifts, windows = [], []
    for seed in (0, 7):
        own = tmp_path / "out" / f"split-{seed}"
        assert f"seed {seed}:" in (own / MARKDOWN).read_text()
        assert f"--split-seed {seed} --recipe" in (own / MARKDOWN).read_text()
        (result,) = [read_json(path) for path in (own / "results").iterdir()]
        assert result["options"]["split_seed"] == seed
        (pool,) = result["evaluation"]["pools"]
        lifts.append(pool["lift"]["value"])
        windows.append(pool["num_windows"])
    lift = 100 * np.average(lifts, weights=windows)
    assert f"| {lift:+.1f} points [" in text.replace("\\", "")


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(study)

    done = CliRunner().invoke(app, [str(tmp_path / "nowhere")])

    assert done.exit_code == 1
    assert "nowhere" in done.stderr
