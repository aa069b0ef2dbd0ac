"""Recipes: named sets of training options, in TOML files."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Final, get_args

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Kind
from nextvec.training.errors import TrainingError
from nextvec.training.models.options import Architecture

_DEFAULTS: Final[dict[Kind, str]] = {"documents": "default", "items": "items"}
# The recipe of each kind of corpus, where none is named.


def recipe_names() -> list[str]:
    """Return the recipes that are shipped."""
    folder = resources.files("nextvec.training") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def read_recipe(name_or_path: str) -> dict[str, Any]:
    """Read the options that a recipe sets.

    Args:
        name_or_path: name of a shipped recipe, or path of a TOML file.

    Raises:
        TrainingError: neither exists, or it is not TOML.
    """
    path = Path(name_or_path)
    shipped = resources.files("nextvec.training") / "recipes" / f"{name_or_path}.toml"
    try:
        source = path if path.suffix == ".toml" else shipped
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(recipe_names())
        msg = f"no recipe {name_or_path!r}: expected one of {names}, or a .toml file"
        raise TrainingError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{name_or_path}: not UTF-8: {error}"
        raise TrainingError(msg) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{name_or_path}: not TOML: {error}"
        raise TrainingError(msg) from error


def resolve(
    recipe: str | None, told: dict[str, Any], *, kind: Kind = "documents"
) -> TrainingConfig:
    """Return the configuration of a recipe, changed by what was given by hand.

    Args:
        recipe: name of a shipped recipe, or path of a TOML file; None takes that of
            the kind of corpus.
        told: options by name, which win over the recipe.
        kind: of the corpus.

    Raises:
        TrainingError: an unknown recipe, option or value.
    """
    recipe = recipe or _DEFAULTS[kind]
    settings = read_recipe(recipe)
    by_architecture = settings.pop("architectures", {})
    default = TrainingConfig().architecture
    architecture = (settings | told).get("architecture", default)
    names = get_args(Architecture)
    if not isinstance(by_architecture, dict) or not all(
        name in names and isinstance(own, dict) for name, own in by_architecture.items()
    ):
        msg = f"recipe {recipe}: architectures takes tables named {', '.join(names)}"
        raise TrainingError(msg)
    own = by_architecture.get(str(architecture), {})
    return TrainingConfig.from_dict(settings | own | told, source=f"recipe {recipe}")
