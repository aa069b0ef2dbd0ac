"""Archives listed in a data file beside this module: more than a module should hold."""

import tomllib
from importlib import resources
from typing import Any

from nextvec.training.corpus.samples.archives import SourceArchive

_TUPLES = ("pages", "without")
# TOML has lists only.


def read_archive_table(file: str) -> tuple[SourceArchive, ...]:
    """Return the archives of a table, in its order.

    Args:
        file: name of the file beside this module, TOML with an ``[[archive]]`` for
            each, whose keys are the fields of `SourceArchive`; ``markdown`` is true
            unless said otherwise.

    Raises:
        TypeError: a key is missing or unknown.
    """
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return tuple(_archive(entry) for entry in tomllib.loads(text)["archive"])


def _archive(entry: dict[str, Any]) -> SourceArchive:
    lists = {key: tuple(entry[key]) for key in _TUPLES if key in entry}
    return SourceArchive(**({"markdown": True} | entry | lists))
