"""Hit@5 by epoch of every pair of runs, as one picture."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.ablation.failures import FAILURES, Failure
from benchmarks.ablation.results import Result
from benchmarks.ablation.study import Study
from nextvec.training.reporting.svg import svg_element, svg_style

_COLUMNS: Final = 3
_BROKEN, _MENDED, _COPY, _MEAN = "#b91c1c", "#1d4ed8", "#6b7280", "#15803d"


def draw_curves(study: Study) -> str:
    """Draw Hit@5 in targets by epoch, a panel for each failure, as an SVG element."""
    with svg_style("ablation"):
        rows = -(-len(FAILURES) // _COLUMNS)
        figure = Figure(figsize=(12, 2.9 * rows), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True)
        for axes, failure in zip(np.ravel(panels), FAILURES, strict=True):
            _panel(axes, study, failure)
        return svg_element(figure)


def _panel(axes: Axes, study: Study, failure: Failure) -> None:
    broken = study.results[failure.broken]
    if failure.mended == failure.broken:
        best = broken.best_epoch("targets")
        axes.axvline(best, color=_MENDED, linewidth=1, label="best epoch")
    else:
        _curve(axes, study.results[failure.mended], _MENDED)
    _curve(axes, broken, _BROKEN)
    for name, color, style in (("copy-last", _COPY, "--"), (_mean(study), _MEAN, ":")):
        level = 100 * float(study.references[name].hits["targets"].mean())
        axes.axhline(level, color=color, linestyle=style, linewidth=1, label=name)
    axes.set_title(failure.title, fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel("Hit@5 in targets, %")
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=6)


def _curve(axes: Axes, result: Result, color: str) -> None:
    axes.plot(
        [epoch.number for epoch in result.epochs],
        [100 * epoch.hit5["targets"] for epoch in result.epochs],
        marker="o",
        markersize=2.5,
        color=color,
        label=result.variant.name,
    )


def _mean(study: Study) -> str:
    return next(name for name in study.references if name.startswith("best weighted"))
