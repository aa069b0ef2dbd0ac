from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.study.report import MARKDOWN, PAGE, PLOTS, write_study

MakeResult = Callable[..., dict[str, Any]]


@pytest.fixture
def results(make_result: MakeResult) -> list[dict[str, Any]]:
    return [
        make_result("memory", 0, (0.03, 0.01, 0.05)),
        make_result("memory", 1, (0.02, 0.01, 0.05)),
        make_result("linear", 0, (-0.03, -0.05, -0.01)),
    ]


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_both_reports_show_every_row_with_lift_and_baseline(
    results: list[dict[str, Any]],
    make_foreign: MakeResult,
    tmp_path: Path,
    name: str,
) -> None:
    foreign = [make_foreign(), make_foreign(seed=1)]
    write_study(tmp_path, results, foreign, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text().replace("\\", "")
    pool = results[0]["evaluation"]["pools"][1]
    assert f"documents, N = {pool['num_candidates']:,}" in text
    assert f"best baseline: {pool['baseline']}" in text
    assert "+2.5 points [+1.0, +5.0]" in text
    assert "+2.0 to +3.0 points" in text
    assert "-3.0 points [-5.0, -1.0]" in text
    foreign_row = next(
        line for line in text.splitlines() if "SASRec" in line and "0, 1" in line
    )
    assert "SASRec (a library 1.0) +2.0 points" in text
    assert "+2.0 points [+1.0, +4.0]" in foreign_row
    assert "nextvec study tiny" in text
    # two seeds and one, 90 seconds each
    assert "took 4 minutes" in text or "took 5 minutes" in text
    for baseline in results[0]["baseline_estimates"]:
        assert baseline in text


def test_the_page_needs_no_other_file_and_markdown_shows_the_figure(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_study(tmp_path, results, commands=["nextvec study tiny"])

    page = (tmp_path / PAGE).read_text()
    assert "<svg" in page
    assert "http" not in page.split("<svg")[0]
    assert f"({PLOTS})" in (tmp_path / MARKDOWN).read_text()
    assert (tmp_path / PLOTS).read_text().startswith("<svg")


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_bits_are_shown_where_a_baseline_gives_them(
    results: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    baseline = next(iter(results[0]["baseline_estimates"]))
    bits = {baseline: {"value": 3.456, "low": 3.4, "high": 3.5}}
    for result in results:
        result["baseline_bits"] = bits

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text().replace("\\", "")
    assert f"“{baseline}” needs the fewest bits a target, 3.46 [3.40, 3.50]" in text
    assert text.count("3.46 [3.40, 3.50]") == 2
    del results[0]["baseline_bits"]
    write_study(tmp_path, results, commands=["nextvec study tiny"])
    assert "fewest bits" not in (tmp_path / name).read_text()


def test_the_same_results_give_the_same_bytes(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, results, commands=["nextvec study tiny"])

    for name in (PLOTS, PAGE, MARKDOWN):
        assert (tmp_path / "one" / name).read_bytes() == (
            tmp_path / "other" / name
        ).read_bytes()


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_every_finding_comes_with_its_sentence_and_threshold_and_what_is_not_met(
    results: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    finding = {
        "name": "over-fitting",
        "severity": "warning",
        "sentence": "The gap grew by 12 points.",
        "threshold": "more than 5 points",
        "advice": "Less.",
    }
    results[0] |= {
        "diagnosis": [finding],
        "readiness": {
            "verdict": "NO-GO",
            "checks": [
                {
                    "name": "order matters",
                    "is_met": False,
                    "expected": "above 0",
                    "found": "nothing",
                },
                {
                    "name": "restored weights",
                    "is_met": True,
                    "expected": "0.25",
                    "found": "0.25",
                },
            ],
        },
    }
    results[1] |= {"diagnosis": []}

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text()
    for words in (finding["sentence"], finding["threshold"]):
        assert words in text
    assert "order matters (above 0): nothing" in text
    assert "restored weights (0.25)" not in text
    for threshold in ("best epoch 0", "lift above 5 points on documents"):
        assert threshold in text


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_the_share_left_out_and_the_hits_with_the_context_are_told(
    results: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    for result in results:
        result["evaluation"] |= {"num_leaked": 10}
        for pool in result["evaluation"]["pools"]:
            pool |= {"num_windows": 190}
            if pool["hit_context_included"] is not None:
                pool |= {"hit_context_included": 0.0789}

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text()
    assert "left out as leaked, 5.0 %)" in text
    assert "Hit@5 with the context" in text
    # two networks, in the pools "documents" and "index" of validation
    assert text.count("7.9 %") == 4


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_hits_with_hubs_left_in_are_told_of_documents(
    results: list[dict[str, Any]], tmp_path: Path, name: str
) -> None:
    for result in results:
        for pool in result["evaluation"]["pools"]:
            pool |= {"hit_plain": 0.0789}
        result["baseline_plain"] = {"documents": 0.0678}

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text()
    assert "Hit@5, hubs left in" in text
    assert text.count("6.8 %") == 1
    # two networks in three pools
    assert text.count("7.9 %") == 6
    for result in results:
        result["corpus"]["kind"] = "items"
        for pool in result["evaluation"]["pools"]:
            pool |= {"bits": {"value": 87.654, "low": 2.0, "high": 3.0}}
        result["baseline_bits"] = {
            pool["baseline"]: {"value": 98.765, "low": 3.0, "high": 4.0}
            for pool in result["evaluation"]["pools"]
        }

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / name).read_text()
    assert "hubs left in" not in text
    assert text.count("87.65") == 6
    assert "98.77" in text or "98.76" in text


def test_all_versions_are_told(results: list[dict[str, Any]], tmp_path: Path) -> None:
    results[1]["versions"] = results[1]["versions"] | {"torch": "9.9"}

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    known = results[0]["versions"]["torch"]
    assert f"torch {known} and 9.9" in (tmp_path / PAGE).read_text()


def test_unknown_times_are_told(results: list[dict[str, Any]], tmp_path: Path) -> None:
    results[0]["wall_s"] = None

    write_study(tmp_path, results, commands=["nextvec study tiny"])

    text = (tmp_path / MARKDOWN).read_text()
    assert "2 of 3 runs were timed: they took 3 minutes in sum" in text

    for result in results:
        result["wall_s"] = None
    write_study(tmp_path, results, commands=["nextvec study tiny"])

    assert "minutes" not in (tmp_path / MARKDOWN).read_text()


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

    for name in (PAGE, MARKDOWN):
        text = (tmp_path / name).read_text()
        assert "7 and 7 targets are in no training sequence" in text
        assert "12.3 %" in text
        assert "sequences, encoder" in text
        assert "misses in the right document" not in text
