"""``keys``: who may ask the service, and for what."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nextvec.app.access.key import SCOPES, Scope
from nextvec.app.commands.options import KeysFile
from nextvec.app.settings import read_settings
from nextvec.training.commands.console import (
    AsJson,
    console,
    error_console,
    handle_errors,
    print_json,
    say_next,
)


@handle_errors()
def create(
    *,
    scope: Annotated[
        Scope,
        typer.Option(
            help="What it is for: predict (everything but what follows), metrics "
            "(GET /metrics), or admin (all, and what changes the service)."
        ),
    ] = "predict",
    name: Annotated[
        str | None,
        typer.Option(help="What lists and logs call it (default: its id)."),
    ] = None,
    keys: KeysFile = None,
) -> None:
    """Make a key, and show it this once.

    The key alone goes to standard output. Only its hash is kept. A running service
    takes it up within a second; the first key brings the routes under /admin/, for keys
    of the scope admin.
    """
    from nextvec.app.access.key_file import create_key

    path = read_settings(keys=keys).keys_file
    is_first = not path.exists()
    key, secret = create_key(path, scope, name)
    # beside the key, which a script may want to take
    error_console.print(
        f"Key {key.name} ({key.id}) of the scope {scope}, in {path}. It is not shown "
        "again:",
        soft_wrap=True,
        highlight=False,
    )
    typer.echo(secret)
    if is_first:
        error_console.print(
            "From now on the service answers nobody without a key; a running one that "
            "has no other file of keys within a second.",
            soft_wrap=True,
            highlight=False,
        )


@handle_errors()
def list_keys(*, keys: KeysFile = None, as_json: AsJson = False) -> None:
    """List the keys; what each is, nobody can tell."""
    from nextvec.app.access.key_file import read_keys

    path = read_settings(keys=keys).keys_file
    there = list(read_keys(path).values()) if path.exists() else []
    if as_json:
        shown = ("id", "name", "scope", "created")
        print_json([{field: getattr(key, field) for field in shown} for key in there])
        return
    console.print(f"Keys in {path}:", soft_wrap=True, highlight=False)
    for key in there:
        console.print(
            f"[bold]{key.name}[/]  {key.id}, {key.scope}, created {key.created}",
            soft_wrap=True,
            highlight=False,
        )
    if not there:
        console.print("none", highlight=False)
        say_next(f"nextvec keys create --scope {SCOPES[0]}{_where(path)}")


@handle_errors()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")],
    *,
    keys: KeysFile = None,
) -> None:
    """Make a key invalid, for a running service within a second."""
    from nextvec.app.access.key_file import KeyFileError, revoke_key

    path = read_settings(keys=keys).keys_file
    if not path.exists():
        msg = f"{path}: there are no keys"
        raise KeyFileError(msg)
    revoked, left = revoke_key(path, key)
    console.print(
        f"{revoked.name} ({revoked.id}) is revoked.", soft_wrap=True, highlight=False
    )
    if not left:
        console.print(
            f"No key is left, and the service answers nobody. To open it again, delete "
            f"{path} and restart it.",
            soft_wrap=True,
            highlight=False,
        )


def _where(path: Path) -> str:
    """Return the option that names this file, nothing if the settings do."""
    if path == read_settings().keys_file:
        return ""
    return f" --keys {shlex.quote(str(path))}"
