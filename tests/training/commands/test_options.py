from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from training.commands.options import resolve, with_training_options
from training.commands.runs import train
from training.config import TrainingConfig, option_defaults, option_help, recipe_names
from training.errors import TrainingError

RECIPE = """
architecture = "baseline"
lr = 0.5
hidden_size = 16

[architectures.hierarchical]
hidden_size = 24
chunk_size = 5
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
def test_every_shipped_recipe_resolves_for_every_architecture(
    name: str, architecture: str
) -> None:
    assert resolve(name, {"architecture": architecture}).architecture == architecture


def test_a_recipe_wins_over_the_defaults(recipe: str) -> None:
    config = resolve(recipe, {})

    assert config == TrainingConfig(architecture="baseline", lr=0.5, hidden_size=16)


def test_the_table_of_an_architecture_wins_over_the_recipe(recipe: str) -> None:
    config = resolve(recipe, {"architecture": "hierarchical"})

    assert (config.hidden_size, config.chunk_size, config.lr) == (24, 5, 0.5)


def test_what_is_told_by_hand_wins_over_everything(recipe: str) -> None:
    told = {"architecture": "hierarchical", "hidden_size": 8, "lr": 0.25}

    config = resolve(recipe, told)

    assert (config.hidden_size, config.chunk_size, config.lr) == (8, 5, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("units = 3", "no option is called 'units'", id="unknown"),
        pytest.param("architectures = 3", "architectures takes tables", id="number"),
        pytest.param("architectures.memory = 3", "takes tables named", id="no table"),
        pytest.param("[architectures.lstm]\nlr = 1.0", "takes tables named", id="lstm"),
        pytest.param(
            "[architectures.memory]\nunits = 3", "no option is called 'units'", id="own"
        ),
        pytest.param('architecture = ["memory"]', "architecture takes str", id="list"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(TrainingError, match=message):
        resolve(str(path), {})


def command_of(function: Any) -> Any:  # noqa: ANN401 - click has no public stubs
    app = typer.Typer()
    app.command()(function)
    return get_command(app)


def test_train_has_an_option_with_help_and_default_for_every_field() -> None:
    options = {option.name: option for option in command_of(train).params}

    for field in fields(TrainingConfig):
        option = options[field.name]
        assert f"--{field.name.replace('_', '-')}" in option.opts
        assert option_help()[field.name] in option.help
        assert f"default: {option_defaults()[field.name]}" in option.help


def test_options_that_are_not_given_are_not_told() -> None:
    heard: dict[str, Any] = {}

    @with_training_options
    def command(first: str, *, told: dict[str, Any]) -> None:
        heard.update(told, first=first)

    command_of(command)(
        ["here", "--lr", "0.5", "--patience", "9", "--min-delta", "0"],
        standalone_mode=False,
    )

    assert heard == {"first": "here", "lr": 0.5, "patience": 9, "min_delta": 0.0}
