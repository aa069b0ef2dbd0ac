import copy
from pathlib import Path

import pytest
from rich.table import Table

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.commands.console import console
from nextvec.training.commands.narrow import print_table
from nextvec.training.commands.tables import comparison_table, readiness_table


@pytest.fixture(autouse=True)
def forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_width", 40)


def test_what_fits_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("what", "value")
    table.add_row("words that can wrap in a narrow column", "12.3 %")

    print_table(table)

    shown = capsys.readouterr().out
    assert "│" in shown
    assert "12.3 %" in shown


def test_a_comparison_in_forty_columns_breaks_and_drops_nothing(
    finished_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = read_checkpoint_card(finished_run)
    pool = next(
        pool
        for pool in card["evaluation"]["pools"]
        if pool["pool"] == card["selection_pool"]
    )
    pool |= {
        "num_candidates": 1_234_567,
        "hit_at": {k: {"value": v} for k, v in (("1", 0.1), ("5", 0.25), ("10", 0.5))},
        "baseline": "a-baseline-of-a-name-longer-than-one-line-is",
        "lift": {"value": 0.05, "low": -0.01, "high": 0.11},
    }
    other = copy.deepcopy(card) | {"name": "other", "best_score": -1.0}

    print_table(comparison_table([card, other]))

    lines = capsys.readouterr().out.splitlines()
    for line in (
        "run: 1",
        f"  epoch: {card['best_epoch']} of {len(card['history']) - 1}",
        "  Hit@1: 10.0 %",
        "  Hit@5: 25.0 %",
        "  Hit@10: 50.0 %",
        "  points [95 %]: +5.0 [-1.0, +11.0]",
        f"  ready: {card['readiness']['verdict']}",
        "run: 2",
    ):
        assert line in lines
    assert any(pool["baseline"] in line for line in lines)
    assert any("1,234,567" in line for line in lines)
    whole = [line for line in lines if pool["baseline"] not in line]
    assert max(map(len, whole)) <= 40


def test_a_mark_without_a_header_stands_alone(
    finished_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = read_checkpoint_card(finished_run)
    card["readiness"]["checks"][0] |= {"expected": "x" * 41, "is_met": True}

    print_table(readiness_table(card))

    lines = capsys.readouterr().out.splitlines()
    assert f"condition: {card['readiness']['checks'][0]['name']}" in lines
    assert "  met" in lines
