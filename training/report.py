"""A self-contained page about one run: curves, figures, readiness."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.readiness import points
from training.evaluation.statistics import Estimate
from training.files import write_bytes

_SVG_METADATA = ("Creator", "Date", "Format", "Type")
# Left out: they differ from day to day, and name addresses on the web.

_TRAIN, _VALIDATION, _BEST = "#b45309", "#1d4ed8", "#6b7280"


def write_report(path: Path, card: dict[str, Any]) -> None:
    """Write the page of a run from its card."""
    environment = Environment(
        loader=PackageLoader("training"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["points"] = lambda gain: points(Estimate.from_plain(gain))
    page = environment.get_template("report.html").render(
        card=card,
        curves=Markup(draw_curves(card)),  # noqa: S704 - drawn here
    )
    write_bytes(path, page.encode())


def percent(share: float | None) -> str:
    """Write a share as a percentage.

    Example:
        >>> percent(0.1234)
        '12.3 %'
    """
    return "not measured" if share is None else f"{100 * share:.1f} %"


def draw_curves(card: dict[str, Any]) -> str:
    """Draw loss, cosine and Hit@5 over the epochs as an SVG element."""
    history: list[dict[str, Any]] = card["history"]
    # text stays text: searchable, and small
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": card["name"]}):
        figure = Figure(figsize=(12, 3.4), layout="constrained")
        loss, cosine, hit5 = figure.subplots(1, 3)
        _curve(loss, history, "train_loss", "validation_loss", "loss")
        _curve(cosine, history, "train_cosine", "validation_cosine", "cosine to target")
        _curve(hit5, history, "train_hit5", "score", "Hit@5")
        pool = card["options"]["selection_pool"]
        best = max(scores[pool] for scores in card["baselines"].values())
        hit5.axhline(best, color="#15803d", linestyle=":", label="best baseline")
        for axes in (loss, cosine, hit5):
            axes.axvline(card["best_epoch"], color=_BEST, linestyle="--", linewidth=1)
            axes.set_xlabel("epoch (dashed: the best one)")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.25)
            axes.legend(fontsize=8)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(_SVG_METADATA))
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def _curve(
    axes: Axes,
    history: Sequence[dict[str, Any]],
    train: str,
    validation: str,
    title: str,
) -> None:
    numbers = [epoch["number"] for epoch in history]
    for name, label, color in (
        (train, "training", _TRAIN),
        (validation, "validation", _VALIDATION),
    ):
        values = [
            float("nan") if epoch[name] is None else epoch[name] for epoch in history
        ]
        axes.plot(numbers, values, marker="o", markersize=3, color=color, label=label)
    axes.set_title(title)
