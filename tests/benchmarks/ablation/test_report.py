import re
from pathlib import Path

import pytest

from benchmarks.ablation.failures import FAILURES
from benchmarks.ablation.report import CURVES, MARKDOWN, PAGE, write_study
from benchmarks.ablation.study import Study
from benchmarks.ablation.variants import VARIANTS
from tests.benchmarks.ablation.conftest import spread

pytestmark = pytest.mark.slow


def test_the_report_holds_every_failure_run_and_reference(
    tiny_study: Study, tiny_report: dict[str, str]
) -> None:
    page, markdown = tiny_report[PAGE], tiny_report[MARKDOWN]

    assert list(tiny_report) == [PAGE, MARKDOWN, CURVES]
    for failure in FAILURES:
        assert f"<strong>{failure.name}</strong>" in page
        assert f"| **{failure.name}**" in markdown
    for variant in VARIANTS:
        assert page.count(f"<td>{variant.name}</td>") >= 3
        assert markdown.count(f"| {variant.name} |") >= 3
    for name in tiny_study.references:
        assert f"<td>{name}</td>" in page
    assert "Scaled down" in page
    assert "Scaled down" in markdown
    assert "51.17 %" in markdown


def test_the_page_needs_nothing_from_elsewhere(tiny_report: dict[str, str]) -> None:
    page = tiny_report[PAGE]

    assert page.count("<svg") == 1
    assert not re.findall(r"<(?:script|link|img|iframe|object|embed)\b", page)
    assert not re.findall(r"url\((?!#)|@import", page)
    found = set(re.findall(r"https?://[^\"'<>\s]+", page))
    assert found <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_table_of_the_markdown_is_one(tiny_report: dict[str, str]) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", tiny_report[MARKDOWN], re.MULTILINE)

    assert len(blocks) == 7
    for block in blocks:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1


def test_the_same_study_gives_the_same_report(
    tiny_study: Study, tiny_report: dict[str, str], tmp_path: Path
) -> None:
    paths = write_study(spread(tiny_study, 12), tmp_path)

    assert {path.name: path.read_text("utf-8") for path in paths} == tiny_report


def test_the_picture_names_copy_last_and_the_runs(tiny_report: dict[str, str]) -> None:
    svg = tiny_report[CURVES]

    assert svg.startswith("<svg")
    for words in ("copy-last", "change-loss", "vector-loss", "best epoch"):
        assert f">{words}</text>" in svg
