"""The results analysis of one run: a self-contained page, and the same as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from nextvec.training.files import write_bytes
from nextvec.training.reporting.diagnosis import findings
from nextvec.training.reporting.finding import THRESHOLDS
from nextvec.training.reporting.formats import environment, fewest_bits
from nextvec.training.reporting.plain_words import in_plain_words
from nextvec.training.reporting.svg import svg_element, svg_style
from nextvec.training.run_folder import CURVES, MARKDOWN, REPORT

_TRAIN, _VALIDATION, _BEST = "#b45309", "#1d4ed8", "#6b7280"


def write_report(folder: Path, card: dict[str, Any]) -> None:
    """Write the page of a run from its card, the same as Markdown, and its curves.

    Args:
        folder: gets `REPORT`, `MARKDOWN`, and the `CURVES` that this shows.
        card: of the run. One from before there were diagnosis and examples is held to
            the rules now, and shows no examples.
    """
    curves = draw_curves(card)
    told = {
        "card": card,
        "unit": "sequence" if card["corpus"]["kind"] == "items" else "document",
        "best": card["history"][card["best_epoch"]],
        "last": card["history"][-1],
        "plain_words": in_plain_words(card),
        "diagnosis": card.get("diagnosis", findings(card)),
        "thresholds": THRESHOLDS,
        "examples": card.get("examples"),
        "baseline_bits": card.get("baseline_bits", {}),
        "fewest_bits": fewest_bits(card.get("baseline_bits", {})),
        "bits": card["evaluation"]["pools"][-1].get("bits"),
        "curves_file": CURVES,
        "curves": Markup(curves),  # noqa: S704 - drawn here
    }
    page = (
        environment("nextvec.training.reporting", autoescape=True)
        .get_template(REPORT)
        .render(told)
    )
    markdown = (
        environment("nextvec.training.reporting", autoescape=False)
        .get_template(MARKDOWN)
        .render(told)
    )
    write_bytes(folder / CURVES, curves.encode())
    write_bytes(folder / MARKDOWN, markdown.encode())
    write_bytes(folder / REPORT, page.encode())


def draw_curves(card: dict[str, Any]) -> str:
    """Draw loss, cosine, Hit@K and their gaps over the epochs as an SVG element."""
    history: list[dict[str, Any]] = card["history"]
    with svg_style(card["name"]):
        figure = Figure(figsize=(12, 6.4), layout=ConstrainedLayoutEngine(h_pad=0.12))
        (hit, loss), (gap, cosine) = figure.subplots(2, 2)
        hit_name = f"Hit@{card['k']}"
        _curve(loss, history, "train_loss", "validation_loss", "loss")
        _curve(cosine, history, "train_cosine", "validation_cosine", "cosine to target")
        _curve(hit, history, "train_score", "score", hit_name)
        pool = card["selection_pool"]
        best = max(scores[pool] for scores in card["baselines"].values())
        hit.axhline(best, color="#15803d", linestyle=":", label="best baseline")
        _gap(gap, history, "train_score", "score", hit_name, "#7c3aed")
        _gap(gap, history, "train_cosine", "validation_cosine", "cosine", "#0e7490")
        gap.axhline(0, color=_BEST, linewidth=1)
        gap.set_title("gap: training less validation")
        for axes in (loss, cosine, hit, gap):
            axes.axvline(card["best_epoch"], color=_BEST, linestyle="--", linewidth=1)
            axes.set_xlabel("epoch (dashed: the best one)")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.25)
            axes.legend(fontsize=8)
        return svg_element(figure)


def _curve(
    axes: Axes,
    history: Sequence[dict[str, Any]],
    train: str,
    validation: str,
    title: str,
) -> None:
    for name, label, color in (
        (train, "training", _TRAIN),
        (validation, "validation", _VALIDATION),
    ):
        _plot(axes, history, _values(history, name), label, color)
    axes.set_title(title)


def _gap(
    axes: Axes,
    history: Sequence[dict[str, Any]],
    train: str,
    validation: str,
    label: str,
    color: str,
) -> None:
    pairs = zip(_values(history, train), _values(history, validation), strict=True)
    _plot(axes, history, [t - v for t, v in pairs], label, color)


def _values(history: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if epoch[name] is None else epoch[name] for epoch in history]


def _plot(
    axes: Axes,
    history: Sequence[dict[str, Any]],
    values: Sequence[float],
    label: str,
    color: str,
) -> None:
    numbers = [epoch["number"] for epoch in history]
    axes.plot(numbers, values, marker="o", markersize=3, color=color, label=label)
