"""Options that are settings: words and defaults are those of `app/settings.py`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from nextvec.app.settings import Settings


def _setting(name: str, words: str | None = None) -> Any:  # noqa: ANN401 - what Typer calls an option
    """Return the option of a setting; its own default is None, for not told.

    Args:
        name: of the setting.
        words: what it is to a command, if that is not what it is to the service.
    """
    field = Settings.model_fields[name]
    otherwise = "" if field.default is None else f", or {field.default}"
    variable = f"NEXTVEC_{name.upper()}"
    now = f"; now {os.environ[variable]}" if os.environ.get(variable) else ""
    return typer.Option(
        help=f"{words or field.description} (default: {variable}{otherwise}{now})",
        show_default=False,
    )


Host = Annotated[str | None, _setting("host")]
Port = Annotated[int | None, _setting("port")]
BundlesFolder = Annotated[Path | None, _setting("bundles")]
BundleVersion = Annotated[str | None, _setting("bundle")]
KeysFile = Annotated[
    Path | None,
    _setting("keys", "File of the API keys; where none is named artifacts/keys.json."),
]
