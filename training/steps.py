"""How far something has come."""

from collections.abc import Callable

Steps = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


def ignore_steps(_done: int, _total: int) -> None:
    """Tell nobody."""
