"""Engines of every kind that sessions meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nextvec.app.bundle.bundle import load_bundle
from nextvec.app.inference.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.app.conftest import World


@pytest.fixture(scope="session")
def items(make_item_world: Callable[..., World]) -> World:
    """Sessions in which items return, so that a network may copy."""
    return make_item_world(returning=True)


@pytest.fixture(scope="session")
def item_engine(items: World) -> Engine:
    """Answers by steps."""
    return Engine(load_bundle(items.bundles / items.version))
