"""How reports write numbers and text: one set of filters for all templates."""

import math
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nextvec.training.evaluation.statistics import Estimate, points


def environment(package: str, *, autoescape: bool) -> Environment:
    """Return what renders the templates of a package.

    Args:
        package: that has a folder ``templates``.
        autoescape: True for HTML, escaped by Jinja; False for Markdown, escaped by us.
    """
    found = Environment(
        loader=PackageLoader(package),
        autoescape=autoescape,  # noqa: S701 - off for Markdown only
        finalize=None if autoescape else markdown_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["percent"] = percent
    found.filters["difference"] = difference
    found.filters["interval"] = interval
    found.filters["bits"] = bits
    found.filters["points"] = lambda gain: points(Estimate.from_plain(gain))
    found.filters["estimate"] = points
    found.filters["leaked_share"] = leaked_share
    found.filters["as_is"] = Markup
    return found


def leaked_share(evaluation: Mapping[str, Any]) -> float:
    """Return the share of an evaluation's windows that were left out as leaked.

    Example:
        >>> leaked_share({"num_leaked": 5, "pools": [{"num_windows": 95}]})
        0.05
    """
    left_out: int = evaluation["num_leaked"]
    return left_out / (left_out + int(evaluation["pools"][0]["num_windows"]))


def interval(plain: Mapping[str, float | None]) -> str:
    """Write the interval of a share in percent, nothing where there is none.

    Example:
        >>> interval({"value": 0.12, "low": 0.1, "high": 0.14})
        '[10.0, 14.0]'
    """
    found = Estimate.from_plain(plain)
    if math.isinf(found.low):
        return ""
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def bits(plain: Mapping[str, float | None]) -> str:
    """Write a mean of bits, with its interval where there is one.

    Example:
        >>> bits({"value": 2.981, "low": 2.9, "high": 3.1})
        '2.98 [2.90, 3.10]'
    """
    found = Estimate.from_plain(plain)
    if math.isinf(found.low):
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def fewest_bits(figures: Mapping[str, Mapping[str, float | None]]) -> str | None:
    """Return the name with the fewest bits, None if there is none.

    Example:
        >>> few, many = ({"value": v, "low": 0.0, "high": 9.0} for v in (2.5, 3.5))
        >>> fewest_bits({"a": many, "b": few})
        'b'
    """
    values = {name: Estimate.from_plain(told).value for name, told in figures.items()}
    return min(values, key=lambda name: values[name], default=None)


def markdown_text(value: object) -> object:
    r"""Escape what Markdown, or HTML within it, would take for markup.

    Args:
        value: what a template puts out; anything but a string, and what is marked as
            safe, is returned as it is.

    Example:
        >>> markdown_text("a|b\n<i>")
        'a\\|b \\<i\\>'
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r"([\\`*_{}\[\]<>|~#$&!])", r"\\\1", re.sub(r"\s*\n\s*", " ", value))


def difference(gain: float) -> str:
    """Write a difference of shares in percentage points.

    Example:
        >>> difference(0.0123)
        '+1.2 points'
    """
    return f"{100 * gain:+.1f} points"


def percent(share: float | None) -> str:
    """Write a share as a percentage.

    Example:
        >>> percent(0.1234)
        '12.3 %'
    """
    return "not measured" if share is None else f"{100 * share:.1f} %"
