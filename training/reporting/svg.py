"""Figures as SVG elements: the same figure gives the same bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

_METADATA: Final = ("Creator", "Date", "Format", "Type")
# Left out: they differ from day to day, and name addresses on the web.


@contextmanager
def svg_style(salt: str) -> Iterator[None]:
    """Set up drawing: text stays text, searchable and small.

    Args:
        salt: what names of parts are made from, instead of chance.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        yield


def svg_element(figure: Figure) -> str:
    """Return a figure as an ``<svg>`` element; to be called within `svg_style`."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(_METADATA))
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
