"""Options that are settings: words and defaults are those of `app/settings.py`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.settings import Settings


def _setting(name: str) -> Any:  # noqa: ANN401 - what Typer calls an option
    """Return the option of a setting; its own default is None, for not told."""
    field = Settings.model_fields[name]
    otherwise = "" if field.default is None else f", or {field.default}"
    return typer.Option(
        help=f"{field.description} (default: NEXTVEC_{name.upper()}{otherwise})",
        show_default=False,
    )


Host = Annotated[str | None, _setting("host")]
Port = Annotated[int | None, _setting("port")]
BundlesFolder = Annotated[Path | None, _setting("bundles")]
BundleVersion = Annotated[str | None, _setting("bundle")]
