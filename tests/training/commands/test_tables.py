import copy
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.commands.tables import (
    comparison_table,
    evaluation_table,
    readiness_table,
    result_table,
    say_names,
)


def cells(table: Table) -> list[list[str]]:
    out = io.StringIO()
    Console(file=out, width=400).print(table)
    lines = [line for line in out.getvalue().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


@pytest.fixture
def card(finished_run: Path) -> dict[str, Any]:
    return copy.deepcopy(read_checkpoint_card(finished_run))


def test_a_result_has_n_baseline_and_lift_beside_every_figure(
    card: dict[str, Any],
) -> None:
    pool = card["evaluation"]["pools"][1]
    pool |= {
        "num_candidates": 12345,
        "hit_at": {k: {"value": v} for k, v in (("1", 0.1), ("5", 0.25), ("10", 0.5))},
        "baseline": "copy-last",
        "baseline_hit_at": {"1": 0.0, "5": 0.2, "10": 0.3},
        "lift": {"value": 0.05, "low": -0.01, "high": 0.11},
    }

    table = result_table(card)

    rows = cells(table)
    assert rows[1] == [
        *("documents", "12,345", "10.0 %", "25.0 %", "50.0 %"),
        *("copy-last: 20.0 %", "+5.0 [-1.0, +11.0]"),
    ]
    assert [row[0] for row in rows] == ["targets", "documents", "index"]
    assert f"best epoch {card['best_epoch']} of 3" in str(table.title)


def test_an_evaluation_of_one_document_has_no_interval(card: dict[str, Any]) -> None:
    pool = card["evaluation"]["pools"][0]
    pool["lift"] = {"value": 0.05, "low": None, "high": None}

    judged = {"pools": [pool], "k": 5, "num_leaked": 3, "is_clean": True}
    table = evaluation_table("mine", judged)

    assert table.title == f"mine\n{pool['num_windows']} windows, 3 left out"
    assert cells(table)[0][-1] == "+5.0 (too few documents for an interval)"


def test_an_evaluation_that_is_not_clean_says_so(card: dict[str, Any]) -> None:
    judged = card["evaluation"] | {"num_leaked": 90, "is_clean": False}

    assert "NOT CLEAN" in str(evaluation_table("mine", judged).title)


def test_a_comparison_is_in_the_pool_that_was_watched(
    card: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    low, high = copy.deepcopy(card), copy.deepcopy(card)
    low |= {"name": "low", "best_score": 0.1}
    high |= {"name": "high", "best_score": 0.9, "best_epoch": 2}
    for one in (low, high):
        one["selection_pool"] = "index"
    high["evaluation"]["pools"][2]["hit_at"]["5"]["value"] = 0.765

    table = comparison_table([low, high])
    say_names([low, high], "high")

    rows = cells(table)
    assert [row[:2] for row in rows] == [
        ["1", "2 of 3"],
        ["2", f"{card['best_epoch']} of 3"],
    ]
    assert capsys.readouterr().out == "  1  high *\n  2  low\n"
    assert rows[0][3] == "76.5 %"
    assert rows[0][-1] == card["readiness"]["verdict"]
    assert "pool index, N = 1,560, 12 windows" in str(table.title)


def shown(check: dict[str, Any]) -> str:
    if check["is_met"]:
        return "met"
    return "not met" if check["gates"] else "not met, gates nothing"


def test_readiness_is_shown_condition_by_condition(card: dict[str, Any]) -> None:
    table = readiness_table(card)

    rows = cells(table)
    assert table.title == f"readiness: {card['readiness']['verdict']}"
    for row, check in zip(rows, card["readiness"]["checks"], strict=True):
        assert row == [
            check["name"],
            check["expected"],
            check["found"],
            shown(check),
        ]
