import copy
import html
import re
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.reporting.finding import THRESHOLDS
from nextvec.training.reporting.formats import difference, percent
from nextvec.training.reporting.page import draw_curves, write_report
from nextvec.training.run_folder import CURVES, MARKDOWN, REPORT


@pytest.fixture
def card(finished_run: Path) -> dict[str, Any]:
    return copy.deepcopy(read_checkpoint_card(finished_run))


def write(tmp_path: Path, card: dict[str, Any]) -> str:
    write_report(tmp_path, card)
    return (tmp_path / REPORT).read_text(encoding="utf-8")


def write_markdown(tmp_path: Path, card: dict[str, Any]) -> str:
    write_report(tmp_path, card)
    return (tmp_path / MARKDOWN).read_text(encoding="utf-8")


def tables(markdown: str) -> list[list[list[str]]]:
    """Read every table as rows of cells, the line of dashes left out."""
    blocks = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    return [
        [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
            if not re.fullmatch(r"[|-]+", line)
        ]
        for block in blocks
    ]


EXAMPLES = {
    "pool": "documents",
    "num_candidates": 12345,
    "k": 5,
    "windows": [
        {
            "document": "a<b>",
            "position": 100,
            "rank": rank,
            "context": [{"id": "c1", "text": "one | <script>alert(1)</script>"}],
            "target": {"id": "t#1", "text": "*two*\n# three"},
            "neighbors": [
                {
                    "id": f"n{place}",
                    "text": "four",
                    "score": 0.5,
                    "is_target": place == rank,
                    "is_same_document": place == 2,
                }
                for place in range(1, 6)
            ],
        }
        for rank in (3, 1234)
    ],
}


def test_the_report_of_a_run_tells_what_its_card_holds(finished_run: Path) -> None:
    page = (finished_run / REPORT).read_text(encoding="utf-8")

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
    page = (finished_run / REPORT).read_text(encoding="utf-8")

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


def test_the_curves_show_the_gap_between_training_and_validation(
    card: dict[str, Any],
) -> None:
    svg = draw_curves(card)

    assert ">gap: training less validation</text>" in svg
    assert ">cosine</text>" in svg
    card["history"][1]["train_score"] += 0.1
    assert draw_curves(card) != svg


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


def test_a_correction_of_the_score_stands_beside_plain_cosine(
    card: dict[str, Any], tmp_path: Path
) -> None:
    for pool in card["evaluation"]["pools"]:
        pool["beta"] = 0.0
    card["evaluation"]["pools"][1] |= {"beta": 0.4, "hit_plain": 0.187}
    card["baseline_plain"] = {"documents": 0.165}

    page = write(tmp_path, card)

    shown = (
        "a share β of their hubness: 0.4 in documents (plain cosine 18.7 %, of its "
        "best baseline 16.5 %)"
    )
    assert shown in page
    assert shown in (tmp_path / "report.md").read_text()


def test_a_go_is_shown_as_go(card: dict[str, Any], tmp_path: Path) -> None:
    card["readiness"]["verdict"] = "GO"

    assert '<span class="verdict GO">GO</span>' in write(tmp_path, card)


def test_without_a_memory_there_is_no_row_for_it(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["diagnostics"]["memory_gain"] = None

    assert "what the memory brings" not in write(tmp_path, card)


def test_without_documents_no_misses_are_counted_in_them(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["diagnostics"]["misses_in_document"] = None

    assert "lie in the right document" not in write(tmp_path, card)


def test_names_are_text_and_no_markup(card: dict[str, Any], tmp_path: Path) -> None:
    card["name"] = "<script>alert(1)</script>"
    card["corpus"]["encoder"] = "<b>"

    page = write(tmp_path, card)

    assert "<script>" not in page
    assert "encoder &lt;b&gt;" in page


def test_bits_stand_beside_hit_where_a_baseline_gives_them(
    card: dict[str, Any], tmp_path: Path
) -> None:
    first, second, *_ = card["baselines"]
    card["baseline_bits"] = {
        first: {"value": 3.456, "low": 3.4, "high": 3.5},
        second: {"value": 2.0, "low": None, "high": None},
    }

    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    (baselines,) = [t for t in tables(markdown) if t[0][0] == "baseline"]
    assert baselines[0][-1] == "bits"
    found = {row[0]: row[-1].replace("\\", "") for row in baselines[1:]}
    assert (found[first], found[second]) == ("3.46 [3.40, 3.50]", "2.00")
    assert set(found.values()) == {"3.46 [3.40, 3.50]", "2.00", "-"}
    shown = f"“{second}” needs the fewest bits a target: 2.00."
    for text in (page, markdown):
        assert text.count(shown) == 1
        assert "targets that are in no training sequence are left out" in text
    assert page.count("<td>-</td>") == len(card["baselines"]) - 2


def test_the_bits_of_a_network_stand_beside_the_fewest(
    card: dict[str, Any], tmp_path: Path
) -> None:
    first, *_ = card["baselines"]
    card["baseline_bits"] = {first: {"value": 3.0, "low": 2.9, "high": 3.1}}
    *_, pool = card["evaluation"]["pools"]
    pool["bits"] = {"value": 2.5, "low": 2.4, "high": 2.6}

    text = write(tmp_path, card)

    assert "a target: 3.00 [2.90, 3.10], this run 2.50 [2.40, 2.60]." in text


def test_without_probabilities_nothing_is_said_of_bits(
    card: dict[str, Any], tmp_path: Path
) -> None:
    assert card["baseline_bits"] == {}

    for text in (write(tmp_path, card), write_markdown(tmp_path, card)):
        assert "fewest bits" not in text
        assert "Bits:" not in text


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "50.0 %"), (0, "0.0 %"), (None, "not measured")]
)
def test_a_share_is_written_as_a_percentage(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_a_difference_is_written_in_points() -> None:
    assert difference(-0.0234) == "-2.3 points"


def test_the_summary_has_the_last_epoch_beside_the_best(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["best_epoch"] = 1
    card["history"][1] |= {"score": 0.5117, "train_score": 0.6}
    card["history"][-1] |= {"score": 0.3699, "train_score": 0.9}

    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    best = ["best epoch, kept", "1", "51.2 %", "60.0 %", "+8.8 points"]
    last = ["last epoch", "3", "37.0 %", "90.0 %", "+53.0 points"]
    for row in (best, last):
        assert f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}" in page
    assert [row[:5] for row in tables(markdown)[0][1:]] == [best, last]


def test_the_markdown_has_the_same_tables_as_the_page(
    card: dict[str, Any], tmp_path: Path
) -> None:
    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    found = tables(markdown)
    # a row has as many cells as its header, or the table falls apart
    for table in found:
        assert len({len(row) for row in table}) == 1, table[0]
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == re.findall(r"^## (.*)$", markdown, re.MULTILINE)
    (validation,) = [t for t in found if t[0][0] == "pool"][:1]
    for row, pool in zip(validation[1:], card["evaluation"]["pools"], strict=True):
        assert row[0] == pool["pool"]
        assert row[1] == f"{pool['num_candidates']:,}"
        assert row[4] == percent(pool["hit_at"]["5"]["value"])
    (baselines,) = [table for table in found if table[0][0] == "baseline"]
    assert [row[0] for row in baselines[1:]] == list(card["baselines"])
    assert all(cell for row in baselines for cell in row)
    assert f"# {card['name']}: {card['readiness']['verdict']}" in markdown
    assert "\n\n\n\n" not in markdown


def test_the_markdown_shows_the_curves_that_lie_beside_it(
    card: dict[str, Any], tmp_path: Path
) -> None:
    markdown = write_markdown(tmp_path, card)

    assert re.findall(r"!\[.+\]\((.+)\)", markdown) == [CURVES]
    svg = (tmp_path / CURVES).read_text(encoding="utf-8")
    assert svg == draw_curves(card)
    assert 'xmlns="http://www.w3.org/2000/svg"' in svg


def test_the_diagnosis_is_shown_with_its_thresholds(
    card: dict[str, Any], tmp_path: Path
) -> None:
    (finding,) = card["diagnosis"] = [
        {
            "name": "over-fitting",
            "severity": "warning",
            "sentence": "It did [so].",
            "threshold": "more than 5",
            "advice": "Less.",
        }
    ]

    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    assert page.index("Learning curves") < page.index("Diagnosis")
    assert '<span class="warning">warning</span><br>over-fitting' in page
    for name in ("sentence", "threshold", "advice"):
        assert f"<td>{finding[name]}</td>" in page
    assert tables(markdown)[1][1] == [
        *("over-fitting", "warning", r"It did \[so\].", "more than 5", "Less.")
    ]
    assert f"All {len(THRESHOLDS)} rules" in page
    for name, threshold in THRESHOLDS.items():
        assert f"<td>{name}</td><td>{threshold}</td>" in html.unescape(page)
        assert [name, threshold] in tables(markdown)[2]


def test_a_run_without_findings_says_so(card: dict[str, Any], tmp_path: Path) -> None:
    card["diagnosis"] = []

    assert "No rule found anything to object to." in write(tmp_path, card)
    assert "No rule found anything to object to." in write_markdown(tmp_path, card)


def test_examples_show_the_hit_and_escape_their_texts(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["examples"] = EXAMPLES

    page = write(tmp_path, card)

    assert "Hit: rank 3 in a&lt;b&gt;, position 100" in page
    assert "Miss: rank 1,234 in a&lt;b&gt;, position 100" in page
    assert "among the 12,345 candidates" in page
    assert '<tr class="found"><td>3. 0.500 · ✓ hit</td><td>n3</td>' in page
    assert page.count("✓ hit") == 1
    assert "<td>2. 0.500 · same document</td>" in page
    assert "<script>" not in page
    assert "one | &lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_examples_keep_their_texts_within_a_cell_of_markdown(
    card: dict[str, Any], tmp_path: Path
) -> None:
    card["examples"] = EXAMPLES

    markdown = write_markdown(tmp_path, card)

    first, second = [t for t in tables(markdown) if t[0][1:] == ["id", "text"]]
    assert {len(row) for row in (*first, *second)} == {3}
    assert r"one \| \<script\>alert(1)\</script\>" in first[1]
    assert first[2] == ["**true next**", r"t\#1", r"\*two\* \# three"]
    assert first[5] == ["3. 0.500 · ✓ hit", "n3", "four"]
    assert "<" not in re.sub(r"\\<", "", markdown)


def test_examples_without_texts_show_ids(card: dict[str, Any], tmp_path: Path) -> None:
    assert "text" not in card["examples"]["windows"][0]["target"]

    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    target = card["examples"]["windows"][0]["target"]["id"]
    assert f'<tr class="next"><td>true next</td><td>{target}</td></tr>' in page
    assert ["**true next**", target.replace("#", r"\#"), ""] in [
        row for table in tables(markdown) for row in table
    ]


def test_a_card_from_before_diagnosis_and_examples_is_shown(
    card: dict[str, Any], tmp_path: Path
) -> None:
    del card["examples"]
    found = card.pop("diagnosis")

    page, markdown = write(tmp_path, card), write_markdown(tmp_path, card)

    assert found[0]["name"] in page
    assert "Examples" not in page
    assert "Examples" not in markdown


def test_the_page_says_it_in_plain_words_first(
    finished_run: Path, tmp_path: Path
) -> None:
    card = read_checkpoint_card(finished_run)

    write_report(tmp_path, card)

    page, markdown = (
        (tmp_path / name).read_text() for name in ("report.html", "report.md")
    )
    for text in (page, markdown):
        assert text.index("In plain words") < text.index("Summary")
        assert "The true next one is its first answer in" in text
