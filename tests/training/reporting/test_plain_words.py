from typing import Any

import pytest

from nextvec.training.reporting.plain_words import in_plain_words


def pool(
    name: str, hit: float, lift: tuple[float, float | None, float | None]
) -> dict[str, Any]:
    value, low, high = lift
    return {
        "pool": name,
        "num_candidates": 11741,
        "num_windows": 1567,
        "hit_at": {"1": {"value": hit / 2}, "5": {"value": hit}},
        "baseline": "EWMA(0.5)",
        "baseline_hit_at": {"5": hit - value},
        "lift": {"value": value, "low": low, "high": high},
    }


def window(rank: int, text: str) -> dict[str, Any]:
    return {
        "document": "guide",
        "rank": rank,
        "context": [{"id": "a", "text": "One two three."}, {"id": "b", "text": ""}],
        "target": {"id": "c", "text": text},
        "neighbors": [{"id": "c", "text": text}, {"id": "d"}, {"id": "e"}, {"id": "f"}],
    }


def card(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - as varied as the fields
    lift = (0.02, 0.01, 0.03)
    pools = [pool("targets", 0.9, lift), pool("documents", 0.4, lift)]
    return {
        "model": {"architecture": "memory"},
        "corpus": {"kind": "documents"},
        "base": "EWMA(0.5)",
        "k": 5,
        "selection_pool": "documents",
        "best_epoch": 2,
        "history": [{}, {}, {}, {}],
        "evaluation": {"pools": pools},
        "test_evaluation": {"pools": [pool("documents", 0.3, (0.01, -0.01, 0.03))]},
        "examples": None,
        "readiness": {"checks": [{"name": "order matters", "is_met": True}]},
    } | more


def test_it_says_what_is_held_how_good_it_is_and_against_what() -> None:
    held, how_good, on_test = in_plain_words(card())

    assert held == (
        "The Memory GRU of epoch 2 did better than everything that needs no training."
    )
    assert how_good == (
        "The true next one is its first answer in 20.0 % of 1,567 windows of documents "
        "that training never saw, and among the first 5 in 40.0 %, with 11,741 "
        "candidates. The best without training, “EWMA(0.5)”, has 38.0 %: +2.0 points "
        "[+1.0, +3.0]."
    )
    assert on_test == (
        "On test, looked at once: 30.0 %, +1.0 points [-1.0, +3.0] over “EWMA(0.5)”."
    )


def test_what_is_not_shown_is_not_claimed() -> None:
    unsure = {"pools": [pool("documents", 0.4, (0.02, -0.01, 0.05))]}

    held = in_plain_words(card(evaluation=unsure))[0]

    assert held.endswith("is not shown to be better than what needs no training.")


def test_a_closed_form_that_is_held_is_named() -> None:
    held = in_plain_words(card(best_epoch=0))[0]

    assert held == (
        "The network did not help here: none of 3 epochs of the Memory GRU was better "
        "than the closed form “EWMA(0.5)”, which is what this run holds."
    )


def test_the_clearest_example_is_told_and_long_texts_are_cut() -> None:
    long = "a b c d e f g h i j"
    told = card(examples={"windows": [window(4, "no"), window(1, long)]})

    example = in_plain_words(told)[-1]

    assert example == (
        "One of its better answers, in guide, after One two three., b: "
        "a b c d e f g h …, d, e. What came: a b c d e f g h …."
    )


def test_without_hits_there_is_no_example() -> None:
    assert len(in_plain_words(card(examples={"windows": []}))) == 3


def test_a_run_of_no_epoch_says_so() -> None:
    held = in_plain_words(card(best_epoch=0, history=[{}]))[0]

    assert held == "No network was trained; it holds the closed form “EWMA(0.5)”."


@pytest.mark.parametrize("lift", [(-0.02, -0.03, -0.01), (-0.5, None, None)])
def test_what_did_worse_is_said_to_have(
    lift: tuple[float, float | None, float | None],
) -> None:
    worse = {"pools": [pool("documents", 0.4, lift)]}

    held = in_plain_words(card(evaluation=worse))[0]

    assert held.endswith("did worse than “EWMA(0.5)”, which needs no training.")


@pytest.mark.parametrize("is_clean", [True, False])
def test_what_keeps_it_from_being_ready_is_named(is_clean: bool) -> None:
    checks = [
        {"name": "no leaked window", "is_met": False},
        {"name": "thresholds", "is_met": False, "gates": False},
    ]
    lift = (0.02, 0.01, 0.03)
    evaluation = {"pools": [pool("documents", 0.4, lift)], "is_clean": is_clean}
    told = card(readiness={"checks": checks}, evaluation=evaluation)

    said = in_plain_words(told)[3]

    assert said.startswith("Not ready to be relied on (NO-GO): no leaked window.")
    assert ("do not trust these figures" in said) is not is_clean


def test_a_test_too_small_for_the_pool_is_passed_over() -> None:
    told = in_plain_words(card(test_evaluation={"pools": []}))

    assert len(told) == 2
    assert in_plain_words(card(selection_pool="index")) == []
