"""The options of `train`: the fields of `TrainingConfig`."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from nextvec.training.config import TrainingConfig, option_defaults, option_help


def with_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of `TrainingConfig`.

    The command has a last parameter ``told``: a dict of those that were given.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]
    hints = get_type_hints(TrainingConfig)
    defaults = option_defaults()
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                hints[name] | None,
                typer.Option(
                    help=f"{option_help()[name]} (default: {default}, or the recipe's)",
                    show_default=False,
                    rich_help_panel="Training options",
                ),
            ],
        )
        for name, default in defaults.items()
    ]

    @wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401 - as varied as the fields
        given = {name: values.pop(name) for name in defaults}
        told = {name: value for name, value in given.items() if value is not None}
        command(**values, told=told)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
