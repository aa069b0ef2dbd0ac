"""Results as tables for a terminal of 80 columns."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from nextvec.training.commands.console import console
from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.reporting.formats import percent


def result_table(card: dict[str, Any]) -> Table:
    """One run: a row for each pool of the validation."""
    best, last = card["best_epoch"], len(card["history"]) - 1
    title = f"{card['model']['architecture']}, best epoch {best} of {last}, validation"
    return evaluation_table(title, card["evaluation"])


def evaluation_table(title: str, evaluation: dict[str, Any]) -> Table:
    """One evaluation: a row for each pool."""
    pools = evaluation["pools"]
    counted = f"{pools[0]['num_windows']} windows, {evaluation['num_leaked']} left out"
    if not evaluation["is_clean"]:
        counted += "; [bold red]NOT CLEAN: too many windows had leaked[/]"
    table = Table(title=f"{title}\n{counted}", title_justify="left")
    table.add_column("pool")
    for column in ("N", "Hit@1", "Hit@5", "Hit@10"):
        table.add_column(column, justify="right", no_wrap=True)
    k = str(evaluation["k"])
    table.add_column(f"best baseline: its Hit@{k}", overflow="fold")
    table.add_column(f"lift in Hit@{k}, points [95 %]")
    for pool in pools:
        table.add_row(
            pool["pool"],
            f"{pool['num_candidates']:,}",
            *(percent(pool["hit_at"][cut]["value"]) for cut in ("1", "5", "10")),
            f"{pool['baseline']}: {percent(pool['baseline_hit_at'][k])}",
            _lift(pool),
        )
    return table


def say_names(cards: Sequence[dict[str, Any]], best: str | None) -> None:
    """Print the number and the name of each run of a comparison, a line for each.

    Outside the table: a name in a narrow column would be broken.
    """
    for number, card in enumerate(_by_score(cards), start=1):
        mark = " *" if card["name"] == best else ""
        console.print(
            f"{number:3d}  {card['name']}{mark}", soft_wrap=True, highlight=False
        )


def comparison_table(cards: Sequence[dict[str, Any]]) -> Table:
    """Many runs: a row for each, in the pool that early stopping watched.

    Rows have the numbers that `say_names` gives the runs.
    """
    watched = cards[0]["selection_pool"]
    pools = {card["name"]: _pool(card, watched) for card in cards}
    first = pools[cards[0]["name"]]
    table = Table(
        title=f"validation, pool {watched}, N = {first['num_candidates']:,}, "
        f"{first['num_windows']} windows; * is the best",
        title_justify="left",
    )
    table.add_column("run", justify="right")
    table.add_column("epoch")
    for column in ("Hit@1", "Hit@5", "Hit@10"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("lift over", overflow="fold")
    table.add_column("points [95 %]")
    table.add_column("ready")
    for number, card in enumerate(_by_score(cards), start=1):
        pool = pools[card["name"]]
        table.add_row(
            str(number),
            f"{card['best_epoch']} of {len(card['history']) - 1}",
            *(percent(pool["hit_at"][k]["value"]) for k in ("1", "5", "10")),
            pool["baseline"],
            _lift(pool),
            card["readiness"]["verdict"],
        )
    return table


def readiness_table(card: dict[str, Any]) -> Table:
    """Go or no-go, condition by condition."""
    table = Table(
        title=f"readiness: {card['readiness']['verdict']}", title_justify="left"
    )
    for column in ("condition", "expected", "found", ""):
        table.add_column(column)
    for check in card["readiness"]["checks"]:
        mark = "[green]met[/]" if check["is_met"] else "[red]not met[/]"
        if not check["is_met"] and not check.get("gates", True):
            mark = "not met, gates nothing"
        # the brackets of an interval are no style
        found = check["found"].replace("[", r"\[")
        table.add_row(check["name"], check["expected"], found, mark)
    return table


def _by_score(cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(cards, key=lambda card: -card["best_score"])


def _pool(card: dict[str, Any], name: str) -> dict[str, Any]:
    pools: list[dict[str, Any]] = card["evaluation"]["pools"]
    return next(pool for pool in pools if pool["pool"] == name)


def _lift(pool: dict[str, Any]) -> str:
    gain = points(Estimate.from_plain(pool["lift"]))
    return gain.replace(" points", "").replace("[", r"\[")
