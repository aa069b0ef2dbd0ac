"""Goals say whether they were reached, and tables are Markdown."""

import pytest

from benchmarks.speed.section import Goal, goals_table, table


@pytest.mark.parametrize(
    ("goal", "wanted", "is_reached"),
    [
        pytest.param(Goal(what="a", found=3.0, least=3.0), "at least 3", True, id="="),
        pytest.param(Goal(what="a", found=2.9, least=3.0), "at least 3", False, id="<"),
        pytest.param(
            Goal(what="a", found=1.1, most=1.15), "at most 1.15", True, id="less"
        ),
        pytest.param(
            Goal(what="a", found=1.2, most=1.15), "at most 1.15", False, id="more"
        ),
        pytest.param(
            Goal(what="a", found=0.0, least=1.0, most=2.0),
            "at least 1 and at most 2",
            False,
            id="between",
        ),
    ],
)
def test_a_goal_is_reached_within_its_bounds(
    goal: Goal, wanted: str, is_reached: bool
) -> None:
    assert goal.wanted == wanted
    assert goal.is_reached is is_reached


def test_a_table_has_as_many_cells_in_every_line() -> None:
    lines = list(table(("one", "two"), [("1", "2"), ("3", "4")]))

    assert lines == ["| one | two |", "|---|---|", "| 1 | 2 |", "| 3 | 4 |"]


def test_goals_are_told_with_what_was_found() -> None:
    goals = [
        Goal(what="p50", found=1.2345, most=1.15),
        Goal(what="rate", found=0.9, least=0.85),
    ]

    lines = list(goals_table(goals))

    assert "| p50 | 1.23 | at most 1.15 | no |" in lines
    assert "| rate | 0.9 | at least 0.85 | yes |" in lines
