from dataclasses import fields
from typing import Any

import typer
from typer.main import get_command

from nextvec.training.commands.train import train
from nextvec.training.commands.training_options import with_training_options
from nextvec.training.config import TrainingConfig, option_defaults, option_help


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
