"""What a study draws: learning curves, and Hit@K by length of context."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nextvec.training.reporting.svg import svg_element, svg_style
from nextvec.training.study.summary import Row

_COLORS: Final = ("#1d4ed8", "#b45309", "#7c3aed", "#0e7490", "#be185d", "#4d7c0f")

_CURVES: Final = (
    ("{hit}", "score", "train_score"),
    ("loss", "validation_loss", "train_loss"),
    ("cosine to the target", "validation_cosine", "train_cosine"),
)
# What they show, and its names in a history: of validation, and of training.


def draw_study(rows: Sequence[Row]) -> str:
    """Draw an SVG element of eight panels.

    Left, a line for each seed over the epochs: Hit@K, loss and cosine, validation above
    training, the best baseline dotted. Right, means over the seeds: Hit@K of the best
    epoch by vectors of context, on the same windows; and how far training is ahead.
    """
    first = rows[0].results[0]
    hit, pool = f"Hit@{first['k']}", first["selection_pool"]
    with svg_style(first["corpus"]["fingerprint"]):
        figure = Figure(figsize=(16, 7), layout="constrained")
        above, below = figure.subplots(2, 4)
        for (upper, lower), (what, validation, training) in zip(
            zip(above, below, strict=True), _CURVES, strict=False
        ):
            for axes, part, name in (
                (upper, "validation", validation),
                (lower, "training", training),
            ):
                _by_epoch(axes, rows, itemgetter(name))
                axes.set_title(f"{part} {what.format(hit=hit)}")
        best = max(
            estimate[pool]["value"] for estimate in first["baseline_estimates"].values()
        )
        above[0].axhline(best, color="#15803d", linestyle=":", label="best baseline")
        _by_length(above[-1], rows)
        where = first["diagnostics"]["pool"]
        above[-1].set(title=f"{hit}, pool {where}", xlabel="newest vectors of context")
        _by_epoch(below[-1], rows, lambda e: e["train_score"] - e["score"])
        below[-1].set_title(f"gap: training less validation {hit}")
        for axes in (*above, *below):
            axes.grid(alpha=0.25)
        above[0].legend(fontsize=8)
        return svg_element(figure)


def _by_epoch(
    axes: Axes, rows: Sequence[Row], figure: Callable[[Mapping[str, Any]], float]
) -> None:
    """Draw a line for each seed of each network."""
    for color, row in zip(_COLORS, rows, strict=False):
        for nth, result in enumerate(row.results):
            axes.plot(
                [epoch["number"] for epoch in result["history"]],
                [figure(epoch) for epoch in result["history"]],
                color=color,
                marker="o",
                markersize=3,
                label=row.title if nth == 0 else None,
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _by_length(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a line for each network."""
    for color, row in zip(_COLORS, rows, strict=False):
        by_length = row.by_context_length()
        axes.plot(
            [int(length) for length in by_length],
            list(by_length.values()),
            color=color,
            marker="o",
            markersize=3,
        )
