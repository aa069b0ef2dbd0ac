import copy
import re
from pathlib import Path
from typing import Any

import pytest

from training.checkpoint import read_checkpoint_card
from training.report import draw_curves, percent, write_report


@pytest.fixture
def card(finished_run: Path) -> dict[str, Any]:
    return copy.deepcopy(read_checkpoint_card(finished_run))


def write(tmp_path: Path, card: dict[str, Any]) -> str:
    write_report(tmp_path / "report.html", card)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_report_of_a_run_tells_what_its_card_holds(finished_run: Path) -> None:
    page = (finished_run / "report.html").read_text(encoding="utf-8")

    card = read_checkpoint_card(finished_run)
    assert f'class="verdict {card["readiness"]["verdict"]}"' in page
    for pool in ("targets", "documents", "index"):
        assert page.count(f"<tr><td>{pool}</td>") == 2
    assert "1,148" in page
    assert page.count("<svg") == 1
    for check in card["readiness"]["checks"]:
        assert check["name"] in page
    for name in card["baselines"]:
        assert f"<td>{name}</td>" in page
    for name in card["options"]:
        assert f"<code>{name} = " in page
    assert f"Best epoch {card['best_epoch']} of {len(card['history']) - 1}" in page
    assert "what the memory brings" in page


def test_the_page_needs_nothing_from_elsewhere(finished_run: Path) -> None:
    page = (finished_run / "report.html").read_text(encoding="utf-8")

    assert not re.findall(r"<(?:script|link|img|iframe|object|embed)\b", page)
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert not re.findall(r"url\((?!#)|@import", page)
    # the names of XML's own vocabularies, which nothing fetches
    found = set(re.findall(r"https?://[^\"'<>\s]+", page))
    assert found <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_curves_show_training_validation_base_and_best_epoch(
    card: dict[str, Any],
) -> None:
    svg = draw_curves(card)

    assert svg.startswith("<svg")
    for words in ("loss", "cosine to target", "Hit@5", "training", "validation"):
        assert f">{words}</text>" in svg
    assert draw_curves(card) == svg


@pytest.mark.parametrize("epoch", [0, 2])
def test_the_best_epoch_moves_its_mark(card: dict[str, Any], epoch: int) -> None:
    before = draw_curves(card | {"best_epoch": 1})

    assert draw_curves(card | {"best_epoch": epoch}) != before


def test_a_run_no_better_than_its_base_says_so(
    card: dict[str, Any], tmp_path: Path
) -> None:
    page = write(tmp_path, card | {"best_epoch": 0})

    assert "No better than its base." in page
    assert card["base"] in page


def test_a_go_is_shown_as_go(card: dict[str, Any], tmp_path: Path) -> None:
    card["readiness"]["verdict"] = "GO"

    assert '<span class="verdict GO">GO</span>' in write(tmp_path, card)


def test_without_a_memory_there_is_no_row_for_it(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["diagnostics"]["memory_gain"] = None

    assert "what the memory brings" not in write(tmp_path, card)


def test_what_was_not_measured_is_said(card: dict[str, Any], tmp_path: Path) -> None:
    card["diagnostics"]["misses_in_document"] = None

    assert "wrong, not measured lie in the right document" in write(tmp_path, card)


def test_names_are_text_and_no_markup(card: dict[str, Any], tmp_path: Path) -> None:
    card["name"] = "<script>alert(1)</script>"
    card["corpus"]["encoder"] = "<b>"

    page = write(tmp_path, card)

    assert "<script>" not in page
    assert "encoder &lt;b&gt;" in page


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "50.0 %"), (0, "0.0 %"), (None, "not measured")]
)
def test_a_share_is_written_as_a_percentage(share: float | None, words: str) -> None:
    assert percent(share) == words
