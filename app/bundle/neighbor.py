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
    """What ranks, higher is better: cosine less a share of the row's hubness; for items
    the logarithm of a probability, up to a constant; of a baseline what it computes."""

    cosine: float | None
    """Cosine to the prediction in the searched space; 0 where a network of items has
    learned nothing, and predicts no direction; null where a baseline of items answers,
    which predicts no vector."""

    text: NotRequired[str]
