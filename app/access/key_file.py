"""The file that holds the keys: read whole, written whole, by its owner alone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import orjson

from nextvec.app.access.key import NAME, Key, Scope, new_key
from nextvec.training.checked import from_json
from nextvec.training.errors import ProjectError
from nextvec.training.files import write_bytes
from nextvec.training.folders import only_writer

FORMAT: Final = 1
_MODE: Final = 0o600
# Hashes are no secrets, and nobody else needs them all the same.


class KeyFileError(ProjectError):
    """The file of the keys cannot be used, or not as it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    format: Literal[1]
    keys: list[Key]


def read_keys(path: Path) -> dict[str, Key]:
    """Read the keys of a file, by id.

    Raises:
        KeyFileError: it cannot be read, or holds anything but keys of this format, each
            with an id and a name of its own.
    """
    try:
        keys = from_json(_Content, path.read_bytes()).keys
    except FileNotFoundError as error:
        msg = f"{path}: expected keys, found no file; nextvec keys create makes one"
        raise KeyFileError(msg) from error
    except OSError as error:
        msg = f"{path}: the keys cannot be read: {error.strerror or error}"
        raise KeyFileError(msg) from error
    except ValueError as error:
        msg = f"{path}: expected keys of format {FORMAT}: {error}"
        raise KeyFileError(msg) from error
    called = {name for key in keys for name in {key.id, key.name}}
    if len(called) < sum(len({key.id, key.name}) for key in keys):
        msg = f"{path}: expected every key to have an id and a name of its own"
        raise KeyFileError(msg)
    return {key.id: key for key in keys}


def create_key(path: Path, scope: Scope, name: str | None = None) -> tuple[Key, str]:
    """Add a new key to a file, which is made if there is none.

    Args:
        path: the file.
        scope: what the key is for.
        name: what it is called; None: as its id.

    Returns:
        What is kept of the key, and the key itself.

    Raises:
        KeyFileError: the file cannot be used, or the name not, or it is taken.
        ProjectError: somebody else is writing the file.
    """
    if name is not None and not NAME.fullmatch(name):
        msg = f"name: expected 1 to 64 letters, digits and . _ -, got {name!r}"
        raise KeyFileError(msg)
    with only_writer(path):
        keys = read_keys(path) if path.exists() else {}
        if name is not None and _named(keys, name) is not None:
            msg = f"{path}: there is a key called {name} already"
            raise KeyFileError(msg)
        key, secret = new_key(scope, name)
        while _named(keys, key.id) is not None:
            key, secret = new_key(scope, name)
        write_keys(path, (*keys.values(), key))
    return key, secret


def revoke_key(path: Path, called: str) -> tuple[Key, int]:
    """Take a key out of a file.

    Args:
        path: the file.
        called: the name of the key, or its id.

    Returns:
        The key, and how many are left.

    Raises:
        KeyFileError: the file cannot be used, or has no such key.
        ProjectError: somebody else is writing the file.
    """
    with only_writer(path):
        keys = read_keys(path)
        key = _named(keys, called)
        if key is None:
            there = ", ".join(known.name for known in keys.values()) or "none"
            msg = f"{path}: expected the name or id of a key ({there}), got {called!r}"
            raise KeyFileError(msg)
        del keys[key.id]
        write_keys(path, keys.values())
    return key, len(keys)


def _named(keys: Mapping[str, Key], called: str) -> Key | None:
    return next((key for key in keys.values() if called in {key.id, key.name}), None)


def write_keys(path: Path, keys: Iterable[Key]) -> None:
    """Write a file of these keys alone, for nobody but its owner to read."""
    content = {"format": FORMAT, "keys": [asdict(key) for key in keys]}
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    write_bytes(path, orjson.dumps(content, option=options), mode=_MODE)
