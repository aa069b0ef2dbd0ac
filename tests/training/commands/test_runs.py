import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.commands.console import console, error_console
from nextvec.training.commands.run_summary import print_run
from nextvec.training.commands.runs import compare, evaluate, recipes
from nextvec.training.commands.train import train
from nextvec.training.config import option_defaults, option_help
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.store import save_corpus
from nextvec.training.files import write_json
from nextvec.training.recipe import recipe_names
from nextvec.training.reporting.diagnosis import RULES
from nextvec.training.run_folder import CARD, REPORT, SHARED

Invoke = Callable[..., Result]

TINY = [
    *("--hidden-size", "8", "--num-slots", "4", "--num-lags", "4", "--bank-size", "64"),
    *("--batch-size", "4", "--warmup-steps", "2", "--lr", "0.05", "--stride", "5"),
    *("--device", "cpu", "--patience", "3", "--lr-final-share", "1"),
]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for one in (console, error_console):
        monkeypatch.setattr(one, "_width", 300)
    app = typer.Typer()
    for command in (train, evaluate, compare, recipes):
        app.command()(command)

    def run(*arguments: object) -> Result:
        wide = {"COLUMNS": "300"}
        return CliRunner().invoke(app, [str(a) for a in arguments], env=wide)

    return run


@pytest.fixture
def runs(finished_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of runs whose cards are changed copies of a real one."""

    def make(**cards: dict[str, Any]) -> Path:
        for name, change in cards.items():
            card = copy.deepcopy(read_checkpoint_card(finished_run))
            for field, value in change.items():
                card[field] = card[field] | value if isinstance(value, dict) else value
            (tmp_path / name).mkdir()
            write_json(tmp_path / name / CARD, card | {"name": name})
        return tmp_path

    return make


def table_rows(output: str, words: str) -> list[str]:
    return [line for line in output.splitlines() if words in line and "│" in line]


def test_train_asks_for_a_corpus_and_takes_one(
    invoke: Invoke, tiny_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()

    none = invoke("train")
    two = invoke("train", tiny_folder, "--corpus", other)

    assert none.exit_code == 2
    assert "give a corpus: its folder, or its name" in none.output
    assert two.exit_code == 1
    assert "Error: expected one corpus" in two.output


@pytest.mark.slow
def test_train_makes_a_run_and_finds_it_finished_the_next_time(
    invoke: Invoke, tiny_folder: Path, tmp_path: Path
) -> None:
    arguments = ("train", tiny_folder, *TINY, "--max-epochs", "1", "--runs", tmp_path)

    first = invoke(*arguments)
    again = invoke("train", "--corpus", *arguments[1:])

    assert first.exit_code == 0, first.output
    assert "epoch  0   training loss" in first.output
    assert "epoch  1   training loss" in first.output
    for pool in ("targets", "documents", "index"):
        assert len(table_rows(first.output, f"│ {pool} ")) == 1
    assert "readiness: NO-GO" in first.output
    (run,) = (path for path in tmp_path.iterdir() if path.name != SHARED)
    assert run.name.startswith("tiny-memory-")
    assert f"Report: {run / REPORT}" in first.output
    assert again.exit_code == 0
    assert f"run {run.name} is finished already" in again.output
    assert "epoch  1" not in again.output
    assert table_rows(again.output, "│ ") == table_rows(first.output, "│ ")


@pytest.mark.slow
def test_options_by_hand_win_over_the_recipe(
    invoke: Invoke, tiny_folder: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('architecture = "hierarchical"\nmax_epochs = 9\nseed = 3\n')

    done = invoke(
        *("train", tiny_folder, *TINY, "--recipe", recipe, "--runs", tmp_path),
        *("--max-epochs", "0", "--name", "mine"),
    )

    assert done.exit_code == 0, done.output
    options = read_checkpoint_card(tmp_path / "mine")["options"]
    assert options["architecture"] == "hierarchical"
    assert (options["max_epochs"], options["seed"]) == (0, 3)
    assert "No network was trained" in done.output


def test_a_finished_run_of_other_options_is_not_touched(
    invoke: Invoke, tiny_folder: Path, finished_run: Path
) -> None:
    done = invoke(
        *("train", tiny_folder, *TINY, "--max-epochs", "7"),
        *("--runs", finished_run.parent, "--name", finished_run.name),
    )

    assert done.exit_code == 1
    assert "holds a run with other options: " in done.output
    assert "; max_epochs was 3, is 7; " in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nowhere"], "nowhere: no corpus here", id="corpus"),
        pytest.param(["nowhere", "--recipe", "mine"], "no recipe 'mine'", id="recipe"),
        pytest.param(
            ["nowhere", "--lr", "0"],
            "lr: Input should be greater than 0, got 0.0",
            id="range",
        ),
        pytest.param(
            ["nowhere", "--lr", "nan"],
            "lr: Input should be a finite number, got nan",
            id="NaN",
        ),
    ],
)
def test_train_says_what_is_wrong_and_exits_with_1(
    invoke: Invoke, tmp_path: Path, arguments: Sequence[str], message: str
) -> None:
    done = invoke("train", *arguments, "--runs", tmp_path)

    assert done.exit_code == 1
    assert f"Error: {message}" in done.output or message in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["--patience", "many"], ["--architecture", "lstm"], ["--momentum", "1"], []],
)
def test_a_wrong_command_line_exits_with_2(
    invoke: Invoke, tmp_path: Path, arguments: Sequence[str]
) -> None:
    corpus = ["nowhere"] if arguments else []

    done = invoke("train", *corpus, *arguments, "--runs", tmp_path)

    assert done.exit_code == 2


def test_help_shows_every_command(invoke: Invoke) -> None:
    done = invoke("--help")

    assert done.exit_code == 0
    for command in ("train", "evaluate", "compare", "recipes"):
        assert command in done.output


def test_help_of_train_shows_every_option_with_its_default(invoke: Invoke) -> None:
    done = invoke("train", "--help")

    assert done.exit_code == 0
    for name, default in option_defaults().items():
        (line,) = [
            line
            for line in done.output.splitlines()
            if f"--{name.replace('_', '-')} " in line
        ]
        assert option_help()[name][:40] in line
        assert f"default: {default}" in done.output


def test_evaluate_prints_fresh_and_recorded_figures(
    invoke: Invoke, finished_run: Path
) -> None:
    done = invoke("evaluate", finished_run)

    assert done.exit_code == 0, done.output
    assert "finished on tiny, validation" in done.output
    assert "as recorded after training" in done.output
    for pool in ("targets", "documents", "index"):
        fresh, recorded = table_rows(done.output, f"│ {pool} ")
        assert fresh.split() == recorded.split()


def test_evaluate_on_another_corpus_says_that_nothing_is_recorded(
    invoke: Invoke,
    finished_run: Path,
    make_corpus: Callable[..., Corpus],
    tmp_path: Path,
) -> None:
    save_corpus(make_corpus([105] * 3, dim=12), tmp_path / "other")

    done = invoke("evaluate", finished_run, "--corpus", tmp_path / "other")

    assert done.exit_code == 0, done.output
    assert "trained on another corpus" in done.output
    # three documents leave one for validation: no interval
    assert len(table_rows(done.output, "too few")) == 2


def test_evaluate_of_nothing_exits_with_1(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("evaluate", tmp_path)

    assert done.exit_code == 1
    assert "no checkpoint here" in done.output


def test_compare_marks_the_best_run(invoke: Invoke, runs: Callable[..., Path]) -> None:
    folder = runs(
        low={"best_score": 0.25}, high={"best_score": 0.5}, mid={"best_score": 0.3}
    )

    done = invoke("compare", "--runs", folder)

    assert done.exit_code == 0, done.output
    assert len(table_rows(done.output, " of 3 ")) == 3
    assert "  1  high *\n  2  mid\n  3  low\n" in done.output


def test_compare_keeps_runs_on_other_ground_apart(
    invoke: Invoke, runs: Callable[..., Path]
) -> None:
    folder = runs(
        one={"best_score": 0.25},
        two={"best_score": 0.5, "split": {"fingerprint": "other"}},
    )

    done = invoke("compare", "--runs", folder)

    assert done.exit_code == 0
    assert len(table_rows(done.output, " of 3 ")) == 2
    assert "  1  one *\n" in done.output
    assert "  1  two *\n" in done.output
    assert done.output.count("Corpus tiny") == 2


def test_compare_shows_only_the_runs_it_is_told_and_names_what_is_missing(
    invoke: Invoke, runs: Callable[..., Path]
) -> None:
    folder = runs(one={"best_score": 0.25}, two={"best_score": 0.5})

    done = invoke("compare", "one", "three", "--runs", folder)

    assert done.exit_code == 1
    assert "No finished run is called three." in done.output
    assert len(table_rows(done.output, " of 3 ")) == 1
    assert "  1  one *\n" in done.output


def test_compare_and_recipes_are_there_as_json(
    invoke: Invoke, runs: Callable[..., Path]
) -> None:
    folder = runs(one={"best_score": 0.25}, two={"best_score": 0.9})

    rows = json.loads(invoke("compare", "--json", "--runs", folder).output)
    recipes = json.loads(invoke("recipes", "--json").output)

    assert {row["run"]: row["is_best"] for row in rows} == {"one": False, "two": True}
    assert rows[0]["pools"][0]["pool"] == "targets"
    assert recipes["fiddle"]["max_epochs"] == 6


def test_compare_without_runs_says_so(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("compare", "--runs", tmp_path / "none")

    assert done.exit_code == 0
    assert "No finished run in" in done.output


def test_compare_names_a_damaged_card(
    invoke: Invoke, runs: Callable[..., Path]
) -> None:
    folder = runs(one={}, two={})
    (folder / "two" / CARD).write_text("{")

    done = invoke("compare", "--runs", folder)

    assert done.exit_code == 0, done.output
    assert "Left out: " in done.output
    assert "card.json: not JSON" in done.output
    assert "one" in done.output


def test_recipes_are_listed_with_what_they_set(invoke: Invoke) -> None:
    done = invoke("recipes")

    assert done.exit_code == 0
    for name in recipe_names():
        assert name in done.output
    assert "  lambda_infonce = 0.05" in done.output


def test_a_card_read_back_is_shown_as_the_fresh_one(
    finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = read_checkpoint_card(finished_run)
    for pool in card["evaluation"]["pools"]:
        pool["lift"] |= {"low": None, "high": None}

    print_run(card)

    assert "interval)" in capsys.readouterr().out


def test_the_diagnosis_is_printed_with_threshold_and_advice(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 600)
    card = read_checkpoint_card(finished_run)

    with console.capture() as shown:
        print_run(card)

    output = shown.get()
    for finding in card["diagnosis"]:
        assert (
            f"{finding['severity']}: {finding['name']}. {finding['sentence']} "
            f"Threshold: {finding['threshold']}. Try: {finding['advice']}"
        ) in output


def test_a_run_that_no_rule_objects_to_is_said_to_be_so(finished_run: Path) -> None:
    card = read_checkpoint_card(finished_run)

    with console.capture() as shown:
        print_run(card | {"diagnosis": []})

    assert f"none of {len(RULES)} rules found anything" in shown.get()


def test_an_older_card_is_held_to_the_rules_and_compared(
    invoke: Invoke, runs: Callable[..., Path]
) -> None:
    folder = runs(old={})
    card = read_checkpoint_card(folder / "old")
    told = card.pop("diagnosis")
    del card["examples"]
    write_json(folder / "old" / CARD, card)

    with console.capture() as shown:
        print_run(card)
    done = invoke("compare", "--runs", folder)

    assert f"{told[0]['severity']}: {told[0]['name']}." in shown.get()
    assert done.exit_code == 0, done.output
    assert "  1  old *\n" in done.output
