from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.study.report import FIGURE, write_study

MakeResult = Callable[..., dict[str, Any]]

FOREIGN = {
    "model": "SASRec",
    "library": "a library 1.0",
    "settings": {"seed": 0},
    **{
        part: {
            "hit_at": {
                k: {"value": 0.1234, "low": 0.11, "high": 0.14}
                for k in ("1", "5", "10")
            },
            "mrr_at_10": 0.05,
        }
        for part in ("validation", "test")
    },
}


@pytest.fixture
def results(make_result: MakeResult) -> list[dict[str, Any]]:
    return [
        make_result("memory", 0, (0.03, 0.01, 0.05)),
        make_result("memory", 1, (0.02, 0.01, 0.05)),
        make_result("linear", 0, (-0.03, -0.05, -0.01)),
    ]


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_both_reports_show_every_row_with_lift_and_baseline(
    results: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    write_study(tmp_path, results, [FOREIGN], commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text().replace("\\", "")
    pool = results[0]["evaluation"]["pools"][1]
    assert f"documents, N = {pool['num_candidates']:,}" in text
    assert f"best baseline: {pool['baseline']}" in text
    assert "+2.5 points [+1.0, +5.0]" in text
    assert "+2.0 points to +3.0 points" in text
    assert "-3.0 points [-5.0, -1.0]" in text
    assert "SASRec (a library 1.0)" in text
    assert "12.3 %" in text
    assert "nextvec study tiny" in text
    # two seeds and one, 90 seconds each
    assert "took 4 minutes" in text or "took 5 minutes" in text
    for baseline in results[0]["baseline_estimates"]:
        assert baseline in text


def test_the_page_needs_no_other_file_and_markdown_shows_the_figure(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_study(tmp_path, results, commands=["nextvec study tiny"])

    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "http" not in page.split("<svg")[0]
    assert f"({FIGURE})" in (tmp_path / "report.md").read_text()
    assert (tmp_path / FIGURE).read_text().startswith("<svg")


def test_the_same_results_give_the_same_bytes(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, results, commands=["nextvec study tiny"])

    for name in (FIGURE, "report.html", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (
            tmp_path / "other" / name
        ).read_bytes()


def test_unknown_times_are_told(results: list[dict[str, Any]], tmp_path: Path) -> None:
    results[0]["wall_s"] = None

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / "report.md").read_text()
    assert "2 of 3 runs were timed: they took 3 minutes in sum" in text

    for result in results:
        result["wall_s"] = None
    write_study(tmp_path, results, commands=["nextvec study tiny"])

    assert "minutes" not in (tmp_path / "report.md").read_text()


def test_items_say_what_is_unseen_and_what_repeats(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    for result in results:
        result["corpus"]["kind"] = "items"
        result["repeat_share"] = 0.123
        for part in ("evaluation", "test_evaluation"):
            result[part]["num_unseen"] = 7
        result["diagnostics"]["misses_in_document"] = None

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "7 and 7 targets are in no training sequence" in text
        assert "12.3 %" in text
        assert "sequences, encoder" in text
        assert "misses in the right document" not in text
