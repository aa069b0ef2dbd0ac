"""A neighbor, as an answer describes it."""

from typing import NotRequired

from pydantic import with_config
from typing_extensions import TypedDict


@with_config(use_attribute_docstrings=True)
class Neighbor(TypedDict):
    """A row of the index."""

    id: str
    document: str | None
    """null for items."""

    position: int | None
    """null for items."""

    score: float
    """Cosine in the searched space, higher is closer."""

    text: NotRequired[str]
