"""Results as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from training.evaluation.readiness import points
from training.evaluation.statistics import Estimate
from training.report import percent


def result_table(card: dict[str, Any]) -> Table:
    """One run: a row for each pool of the validation."""
    table = Table(title=f"{card['name']}, validation, best epoch {card['best_epoch']}")
    for column in ("model", "pool", "N", "Hit@1", "Hit@5", "Hit@10"):
        table.add_column(column, no_wrap=True)
    table.add_column("best baseline")
    table.add_column("its Hit@5", no_wrap=True)
    table.add_column("lift in Hit@5 [95 %]")
    for pool in card["evaluation"]["pools"]:
        table.add_row(*_pool_cells(card["model"]["architecture"], pool))
    return table


def evaluation_table(title: str, architecture: str, pools: Sequence[Any]) -> Table:
    """One evaluation: a row for each pool."""
    card = {
        "name": title,
        "best_epoch": "-",
        "model": {"architecture": architecture},
        "evaluation": {"pools": pools},
    }
    table = result_table(card)
    table.title = title
    return table


def comparison_table(cards: Sequence[dict[str, Any]], best: str | None) -> Table:
    """Many runs: a row for each, in the pool that early stopping watched."""
    table = Table(title="Runs by validation Hit@5; the best one is marked")
    for column in ("", "run", "model", "best epoch", "of", "pool", "N"):
        table.add_column(column, no_wrap=True)
    for column in ("Hit@1", "Hit@5", "Hit@10", "best baseline", "lift", "readiness"):
        table.add_column(column)
    for card in sorted(cards, key=lambda card: -card["best_score"]):
        watched = card["options"]["selection_pool"]
        pool = next(p for p in card["evaluation"]["pools"] if p["pool"] == watched)
        table.add_row(
            "*" if card["name"] == best else "",
            card["name"],
            card["model"]["architecture"],
            str(card["best_epoch"]),
            str(len(card["history"]) - 1),
            watched,
            f"{pool['num_candidates']:,}",
            *(percent(pool["hit_at"][k]["value"]) for k in ("1", "5", "10")),
            f"{pool['baseline']} ({percent(pool['baseline_hit_at']['5'])})",
            points(Estimate(**pool["lift"])),
            card["readiness"]["verdict"],
        )
    return table


def readiness_table(card: dict[str, Any]) -> Table:
    """Go or no-go, condition by condition."""
    table = Table(title=f"Readiness: {card['readiness']['verdict']}")
    for column in ("condition", "expected", "found", ""):
        table.add_column(column)
    for check in card["readiness"]["checks"]:
        mark = "[green]met[/]" if check["is_met"] else "[red]not met[/]"
        # the brackets of an interval are no style
        found = check["found"].replace("[", r"\[")
        table.add_row(check["name"], check["expected"], found, mark)
    return table


def _pool_cells(architecture: str, pool: dict[str, Any]) -> list[str]:
    baseline = pool["baseline"] or "not measured"
    theirs = pool["baseline_hit_at"]
    return [
        architecture,
        pool["pool"],
        f"{pool['num_candidates']:,}",
        *(percent(pool["hit_at"][k]["value"]) for k in ("1", "5", "10")),
        baseline,
        percent(theirs["5"] if theirs else None),
        points(Estimate(**pool["lift"])).replace("[", r"\[") if pool["lift"] else "",
    ]
