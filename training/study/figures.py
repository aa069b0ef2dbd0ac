"""What a study draws: Hit@K by epoch and by length of context."""

from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure

from training.study.summary import Row
from training.svg import svg_element, svg_style

_COLORS: Final = ("#1d4ed8", "#b45309", "#7c3aed", "#0e7490", "#be185d", "#4d7c0f")


def draw_study(rows: Sequence[Row]) -> str:
    """Draw an SVG element of two panels.

    Left: validation Hit@K by epoch, a line for each seed; the best baseline dotted.
    Right: Hit@K of the best epoch by vectors of context, the same windows.
    """
    first = rows[0].results[0]
    name, pool = f"Hit@{first['k']}", first["selection_pool"]
    with svg_style(first["corpus"]["fingerprint"]):
        figure = Figure(figsize=(12, 4.2), layout="constrained")
        epochs, lengths = figure.subplots(1, 2)
        for color, row in zip(_COLORS, rows, strict=False):
            for nth, result in enumerate(row.results):
                epochs.plot(
                    [epoch["number"] for epoch in result["history"]],
                    [epoch["score"] for epoch in result["history"]],
                    color=color,
                    marker="o",
                    markersize=3,
                    label=row.title if nth == 0 else None,
                )
            by_length = row.by_context_length()
            lengths.plot(
                [int(length) for length in by_length],
                list(by_length.values()),
                color=color,
                marker="o",
                markersize=3,
                label=row.title,
            )
        best = max(
            estimate[pool]["value"] for estimate in first["baseline_estimates"].values()
        )
        epochs.axhline(best, color="#15803d", linestyle=":", label="best baseline")
        epochs.set(title=f"validation {name}, pool {pool}", xlabel="epoch")
        epochs.xaxis.get_major_locator().set_params(integer=True)
        where = first["diagnostics"]["pool"]
        lengths.set(title=f"{name}, pool {where}", xlabel="newest vectors of context")
        for axes in (epochs, lengths):
            axes.grid(alpha=0.25)
            axes.legend(fontsize=8)
        return svg_element(figure)
