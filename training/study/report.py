"""The report of a study: a self-contained page, and the same as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from nextvec.training.evaluation.statistics import Estimate
from nextvec.training.files import write_bytes
from nextvec.training.reporting.finding import THRESHOLDS
from nextvec.training.reporting.formats import environment, fewest_bits
from nextvec.training.study.foreign import foreign_rows
from nextvec.training.study.plots import draw_study
from nextvec.training.study.results import Result, first_of_comparable
from nextvec.training.study.summary import MIN_SEEDS, Part, Row, rows_of, verdicts

PAGE: Final = "report.html"
MARKDOWN: Final = "report.md"
PLOTS: Final = "study.svg"

_PARTS: Final[tuple[tuple[str, Part], ...]] = (
    ("Validation, where the epoch was chosen, and perhaps the recipe", "evaluation"),
    ("Test, looked at once", "test_evaluation"),
)


def write_study(
    folder: Path,
    results: Sequence[Result],
    foreign: Sequence[Result] = (),
    *,
    commands: Sequence[str],
) -> None:
    """Write `PAGE`, `MARKDOWN` and `PLOTS` into the folder of a study.

    Args:
        folder: of the study, which exists.
        results: of our runs, at least one, of one corpus, split and protocol.
        foreign: of models of other libraries on the same windows.
        commands: that make all this, for the reader.

    Raises:
        TrainingError: the results cannot be compared.
    """
    first = first_of_comparable(results)
    rows, others = rows_of(results), foreign_rows(foreign)
    plots = draw_study(rows)
    told = {
        "first": first,
        "unit": "sequence" if first["corpus"]["kind"] == "items" else "document",
        "rows": rows,
        "others": others,
        "verdicts": {
            heading: verdicts([*rows, *others], part) for heading, part in _PARTS
        },
        "baselines": _families(first),
        "all_baselines": first["baseline_estimates"],
        "baseline_bits": first.get("baseline_bits", {}),
        "fewest_bits": fewest_bits(first.get("baseline_bits", {})),
        "min_seeds": MIN_SEEDS,
        "plots": Markup(plots),  # noqa: S704 - drawn here
        "thresholds": THRESHOLDS,
        "versions": _versions(results),
        **_time(rows),
        "commands": commands,
    }
    page = (
        environment("nextvec.training.study", autoescape=True)
        .get_template("study.html")
        .render(told)
    )
    markdown = (
        environment("nextvec.training.study", autoescape=False)
        .get_template("study.md")
        .render(told)
    )
    write_bytes(folder / PLOTS, plots.encode())
    write_bytes(folder / MARKDOWN, markdown.encode())
    write_bytes(folder / PAGE, page.encode())


def _families(first: Result) -> list[dict[str, Any]]:
    """Best setting of some rules in every pool: what needs no network."""
    estimates = first["baseline_estimates"]
    pools = [pool["pool"] for pool in first["evaluation"]["pools"]]
    families: dict[str, list[str]] = {}
    for name in estimates:
        families.setdefault(_family(name), []).append(name)
    return [
        {
            "family": family,
            "pools": {pool: _best(estimates, names, pool) for pool in pools},
        }
        for family, names in families.items()
    ]


def _family(name: str) -> str:
    """Family of a baseline by its name.

    Example:
        >>> _family("0.5 last + 0.5 EWMA(0.2)"), _family("ridge(0.1)")
        ('weighted mean', 'ridge')
    """
    return "weighted mean" if "EWMA" in name else name.split("(", maxsplit=1)[0]


def _best(
    estimates: dict[str, Any], names: Sequence[str], pool: str
) -> tuple[str, Estimate]:
    best = max(names, key=lambda name: estimates[name][pool]["value"])
    return best, Estimate.from_plain(estimates[best][pool])


def _versions(results: Sequence[Result]) -> dict[str, str]:
    """All versions by which results were made, by library."""
    found: dict[str, list[str]] = {}
    for result in results:
        for name, version in result["versions"].items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return {name: " and ".join(sorted(versions)) for name, versions in found.items()}


def _time(rows: Sequence[Row]) -> dict[str, Any]:
    """Seconds of the runs whose time is known, preparation included."""
    walls = [result["wall_s"] for row in rows for result in row.results]
    timed = [wall for wall in walls if wall is not None]
    return {"seconds": sum(timed), "num_timed": len(timed), "num_runs": len(walls)}
