"""Where a user's programs keep what they can make again."""

import os
from pathlib import Path


def user_cache() -> Path:
    """Return the folder for ours: ``nextvec`` in ``XDG_CACHE_HOME`` or ``~/.cache``.

    It need not exist.

    Raises:
        RuntimeError: this user has no home.
    """
    told = os.environ.get("XDG_CACHE_HOME")
    return (Path(told) if told else Path.home() / ".cache") / "nextvec"
