import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.reporting.diagnosis import RULES, findings
from nextvec.training.reporting.finding import THRESHOLDS, RuleName

DOCS = Path(__file__).parents[3] / "docs/evaluation.md"
Card = dict[str, Any]


def gain(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high}


def pool(name: str, lift: dict[str, Any], **more: object) -> dict[str, Any]:
    return {
        "pool": name,
        "num_candidates": 1148,
        "num_windows": 950,
        "hit_at": {"5": gain(0.40, 0.35, 0.45)},
        "baseline": "copy-last",
        "lift": lift,
    } | more


def epoch(number: int, score: float, **more: float | None) -> dict[str, Any]:
    cosines = {"train_cosine": 0.30, "validation_cosine": 0.28}
    return {"number": number, "score": score, "train_score": score} | cosines | more


def sound_card() -> Card:
    """What a run looks like that no rule objects to."""
    lift = gain(0.02, 0.01, 0.03)
    evaluation = {
        "part": "validation",
        "num_leaked": 50,
        "mean_cosine": 0.30,
        "pools": [pool("targets", lift), pool("documents", lift)],
    }
    return {
        "corpus": {"kind": "documents"},
        "base": "copy-last",
        "best_epoch": 1,
        "history": [epoch(0, 0.40), epoch(1, 0.45), epoch(2, 0.44)],
        "evaluation": evaluation,
        "test_evaluation": evaluation | {"part": "test"},
        "diagnostics": {
            "by_context_length": {"5": 0.40, "20": 0.41, "100": 0.42},
            "shuffled_loss": gain(0.1, 0.05, 0.15),
            "memory_gain": gain(0.02, 0.01, 0.03),
        },
    }


def names(card: Card) -> list[str]:
    return [finding.name for finding in findings(card)]


def changed(change: Callable[[Card], object]) -> Card:
    card = sound_card()
    change(card)
    return copy.deepcopy(card)


def leaked(part: str, number: int) -> Callable[[Card], object]:
    return lambda card: card.update(
        {part: card[part] | {"num_leaked": number}},
    )


def lifted(
    value: float, low: float | None, high: float | None
) -> Callable[[Card], Any]:
    return lambda card: card["evaluation"]["pools"][1].update(
        lift=gain(value, low, high)
    )


def looked(
    cosine: float, hit: dict[str, Any], *, name: str = "targets"
) -> Callable[[Card], None]:
    def change(card: Card) -> None:
        card["evaluation"]["mean_cosine"] = cosine
        card["evaluation"]["pools"][0] |= {"pool": name, "hit_at": {"5": hit}}

    return change


def went(*epochs: dict[str, Any]) -> Callable[[Card], object]:
    return lambda card: card.update(history=list(epochs))


def diagnosed(**figures: object) -> Callable[[Card], object]:
    return lambda card: card["diagnostics"].update(figures)


def both(*changes: Callable[[Card], object]) -> Callable[[Card], None]:
    def change(card: Card) -> None:
        for one in changes:
            one(card)

    return change


def of_items(card: Card) -> None:
    card["corpus"]["kind"] = "items"


def easy(*shares: float) -> Callable[[Card], None]:
    """What the best baseline hits: in the last pool the last share."""

    def change(card: Card) -> None:
        pools = card["evaluation"]["pools"]
        for one, share in zip(pools, (*shares, shares[-1]), strict=False):
            one["baseline_hit_at"] = {"5": share}

    return change


TRIGGERS = [
    ("leaked windows", leaked("evaluation", 51), "5.1% of the validation windows"),
    ("leaked windows", leaked("test_evaluation", 950), "50.0% of the test windows"),
    ("suspicious lift", lifted(0.051, 0.04, 0.06), "+5.1 points [+4.0, +6.0] in docum"),
    (
        "cosine high, Hit@K at chance",
        looked(0.5, gain(0.043, 0.03, 0.05)),
        (
            "cosine to the target is 0.500, but Hit@5 is 4.3% of N = 1,148, where luck "
            "alone gives 0.44%"
        ),
    ),
    (
        "cosine high, Hit@K at chance",
        looked(0.9, gain(0.1, 0.004, 0.3)),
        "Hit@5 is 10.0%",
    ),
    (
        "cosine high, Hit@K at chance",
        looked(0.9, gain(0.0, None, None)),
        "Hit@5 is 0.0%",
    ),
    (
        "no better than copying",
        lifted(0.02, 0.0, 0.04),
        (
            "over “copy-last” (the best without a network) is not shown to be above "
            "zero: +2.0 points [+0.0, +4.0] in documents."
        ),
    ),
    ("no better than copying", lifted(-0.02, -0.03, -0.01), "-2.0 points"),
    (
        "too few documents",
        lifted(0.02, None, None),
        "Fewer than 10 validation documents",
    ),
    (
        "too few documents",
        diagnosed(shuffled_loss=gain(0.3, None, None)),
        "no difference has an interval",
    ),
    (
        "no better than its base",
        lambda card: card.update(best_epoch=0),
        "of 2 trained epochs none beat the closed form “copy-last”",
    ),
    (
        "no better than its base",
        both(
            lambda card: card.update(best_epoch=0), went(epoch(0, 0.4), epoch(1, 0.4))
        ),
        "of 1 trained epoch none beat",
    ),
    (
        "degraded after its peak",
        went(epoch(0, 0.30), epoch(1, 0.45), epoch(5, 0.41)),
        "45.00% after epoch 1 and 41.00% after epoch 5: training on cost 4.0 points",
    ),
    (
        "over-fitting",
        went(
            epoch(0, 0.40, train_score=0.42),
            epoch(1, 0.41),
            epoch(2, 0.40, train_score=0.48),
        ),
        (
            "Hit@5 is 0.480 on training and 0.400 on validation documents after epoch "
            "2, from 0.420 and 0.400 at epoch 0: the gap grew by 0.060, and validation "
            "did not rise with it"
        ),
    ),
    (
        "over-fitting",
        went(epoch(0, 0.40), epoch(1, 0.45, train_score=0.51)),
        "the gap grew by 0.060, and validation rose less",
    ),
    (
        "over-fitting",
        went(epoch(0, 0.40), epoch(1, 0.40, train_score=None, train_cosine=0.41)),
        "cosine is 0.410 on training and 0.280 on validation",
    ),
    (
        "order does not matter",
        diagnosed(shuffled_loss=gain(0.01, 0.0, 0.02)),
        "costs +1.0 points [+0.0, +2.0] of Hit@5",
    ),
    (
        "long context does not pay",
        diagnosed(by_context_length={"5": 0.4, "20": 0.5, "100": 0.409}),
        (
            "Hit@5 is 40.9% with 100 vectors of context and 40.0% with the newest 5 of "
            "the same windows: +0.9 points"
        ),
    ),
    (
        "memory brings nothing",
        diagnosed(memory_gain=gain(0.0, 0.0, 0.0)),
        "bring +0.0 points [+0.0, +0.0]",
    ),
    (
        "still rising at its last epoch",
        lambda card: card.update(
            options={"max_epochs": 2},
            best_epoch=2,
            history=[epoch(0, 0.40), epoch(1, 0.45), epoch(2, 0.47)],
        ),
        "The best epoch is 2 of 2: validation Hit@5 rose by 2.0 points",
    ),
    (
        "hits tell nothing apart",
        easy(0.995),
        (
            "Hit@5 of 99.5% or more in every pool: there is nothing to win, and a lift "
            "of zero says nothing. The mean cosine to the target is 0.280, +0.000 over"
        ),
    ),
]

SILENT = [
    pytest.param(lambda _card: None, id="a sound run"),
    pytest.param(leaked("evaluation", 0), id="nothing leaked"),
    pytest.param(leaked("test_evaluation", 50), id="exactly 5 % leaked"),
    pytest.param(lifted(0.05, 0.04, 0.06), id="a lift of exactly 5 points"),
    pytest.param(both(lifted(0.3, 0.2, 0.4), of_items), id="a high lift on items"),
    pytest.param(looked(0.49, gain(0.01, 0.0, 0.02)), id="low cosine, no hits"),
    pytest.param(looked(0.9, gain(0.05, 0.04, 0.06)), id="hits, 11 times chance"),
    pytest.param(looked(0.9, gain(0.3, None, None)), id="hits without an interval"),
    pytest.param(
        looked(0.9, gain(0.0, 0.0, 0.0), name="index"), id="too small for targets"
    ),
    pytest.param(
        lambda card: card["evaluation"]["pools"][0].update(lift=None), id="no lift"
    ),
    pytest.param(lambda card: card.update(best_epoch=2), id="the last is the best"),
    pytest.param(
        went(epoch(0, 0.4), epoch(1, 0.45), epoch(2, 0.43)), id="down by 2 points"
    ),
    pytest.param(went(epoch(0, 0.3), epoch(1, 0.6)), id="both rise together"),
    pytest.param(
        went(epoch(0, 0.40), epoch(1, 0.40, train_score=0.44)), id="a gap of 4 points"
    ),
    pytest.param(
        went(
            epoch(0, 0.40, train_score=0.50),
            epoch(1, 0.40, train_score=0.54),
        ),
        id="a gap that was there untrained",
    ),
    pytest.param(
        went(epoch(0, 0.4), epoch(1, 0.4), epoch(2, 0.375, train_score=0.39)),
        id="both fall",
    ),
    pytest.param(
        lambda card: card.update(options={"max_epochs": 3}, best_epoch=2),
        id="ended by its patience",
    ),
    pytest.param(
        lambda card: card.update(best_epoch=0, history=[epoch(0, 0.4)]),
        id="asked for no epoch",
    ),
    pytest.param(easy(0.995, 0.98), id="one pool that tells apart"),
    pytest.param(
        went(
            epoch(0, 0.40, train_score=0.30),
            epoch(1, 0.41, train_score=0.40),
        ),
        id="a gap the other way round",
    ),
    pytest.param(diagnosed(memory_gain=None), id="no memory"),
    pytest.param(diagnosed(by_context_length={"5": 0.1}), id="one context length only"),
    pytest.param(
        diagnosed(by_context_length={"5": 0.4, "20": 0.3, "100": 0.42}),
        id="the lengths between do not count",
    ),
]


@pytest.mark.parametrize(("name", "change", "words"), TRIGGERS)
def test_a_rule_speaks_with_its_numbers(
    name: str, change: Callable[[Card], object], words: str
) -> None:
    card = changed(change)

    (finding,) = [found for found in findings(card) if found.name == name]

    assert words in finding.sentence
    assert names(card) == [name]
    assert finding.threshold == THRESHOLDS[finding.name]
    assert finding.advice.endswith(".")


@pytest.mark.parametrize("change", SILENT)
def test_the_rules_are_silent(change: Callable[[Card], object]) -> None:
    assert names(changed(change)) == []


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        pytest.param(lifted(0.0, -0.01, 0.01), "warning", id="no lift"),
        pytest.param(lifted(-0.02, -0.03, -0.01), "problem", id="below the baseline"),
        pytest.param(went(epoch(0, 0.4), epoch(1, 0.4, train_score=0.6)), "warning"),
        pytest.param(went(epoch(0, 0.4), epoch(1, 0.5, train_score=0.7)), "notice"),
    ],
)
def test_the_worse_it_is_the_more_severe(
    change: Callable[[Card], object], severity: str
) -> None:
    (finding,) = findings(changed(change))

    assert finding.severity == severity


def test_two_pools_without_a_lift_are_one_finding() -> None:
    card = sound_card()
    card["evaluation"]["pools"][0] |= {"lift": gain(0, -0.1, 0.1), "baseline": "EWMA"}
    card["evaluation"]["pools"][1] |= {"lift": gain(0, -0.1, 0.1)}

    (finding,) = findings(card)

    assert "over “EWMA”, “copy-last” (the best" in finding.sentence
    assert "in targets, +0.0 points [-10.0, +10.0] in documents." in finding.sentence


def test_without_an_interval_the_sign_decides() -> None:
    card = sound_card()
    card["evaluation"]["pools"][1]["lift"] = gain(0.0, None, None)
    card["diagnostics"]["shuffled_loss"] = gain(-0.1, None, None)
    card["diagnostics"]["memory_gain"] = gain(0.1, None, None)

    assert names(card) == [
        "too few documents",
        "no better than copying",
        "order does not matter",
    ]


SEED = [
    pytest.param(
        {
            "best_epoch": 1,
            "history": [
                epoch(1, 0.5117, train_score=None, train_cosine=None),
                epoch(
                    20,
                    0.3699,
                    train_score=None,
                    train_cosine=0.162,
                    validation_cosine=0.102,
                ),
            ],
        },
        "degraded after its peak",
        "51.17% after epoch 1 and 36.99% after epoch 20: training on cost 14.2 points",
        id="Memory GRU",
    ),
    pytest.param(
        {
            "history": [
                epoch(
                    20,
                    0.3986,
                    train_score=None,
                    train_cosine=0.9030,
                    validation_cosine=0.4983,
                )
            ]
        },
        "over-fitting",
        "cosine is 0.903 on training and 0.498 on validation documents after epoch 20: "
        "the gap grew by 0.405",
        id="Baseline GRU",
    ),
    pytest.param(
        {
            "history": [
                epoch(
                    20,
                    0.0322,
                    train_score=None,
                    train_cosine=0.635,
                    validation_cosine=0.593,
                )
            ],
            "evaluation": {
                "part": "validation",
                "mean_cosine": 0.593,
                "pools": [
                    {
                        "pool": "targets",
                        "num_candidates": 1148,
                        "hit_at": {"5": gain(0.0322, None, None)},
                    }
                ],
            },
        },
        "cosine high, Hit@K at chance",
        "is 0.593, but Hit@5 is 3.2% of N = 1,148, where luck alone gives 0.44%",
        id="Hierarchical GRU",
    ),
]


@pytest.mark.parametrize(("card", "name", "words"), SEED)
def test_the_seed_report_is_diagnosed(card: Card, name: str, words: str) -> None:
    (finding,) = findings(card)

    assert finding.name == name
    assert words in finding.sentence


def test_a_card_that_holds_nothing_gives_no_finding() -> None:
    assert findings({}) == []


def test_every_rule_has_a_history_that_triggers_it_and_gives_its_own_name() -> None:
    assert {name for name, _, _ in TRIGGERS} == set(RULES)
    assert set(RULES) == set(THRESHOLDS) == set(get_args(RuleName))


def test_a_card_keeps_what_the_rules_found(finished_run: Path) -> None:
    card = read_checkpoint_card(finished_run)

    assert card["diagnosis"] == [finding.to_dict() for finding in findings(card)]
    assert "too few documents" in names(card)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_documented_with_its_threshold(name: RuleName) -> None:
    rows = re.findall(rf"^\| {re.escape(name)} \|.*$", DOCS.read_text(), re.MULTILINE)

    assert len(rows) == 1, f"{DOCS.name} has no row for {name!r}"
    assert f"| {THRESHOLDS[name]} |" in rows[0]


def test_without_a_history_no_cosine_is_told() -> None:
    card = changed(easy(0.995))
    card["history"] = []

    (finding,) = findings(card)

    assert finding.name == "hits tell nothing apart"
    assert "cosine" not in finding.sentence


@pytest.mark.parametrize(("base", "is_told"), [("copy-last", True), ("other", False)])
def test_serving_the_baseline_is_advised_where_it_is_the_closed_form(
    base: str, is_told: bool
) -> None:
    card = changed(lifted(0.01, -0.01, 0.03))
    card["base"] = base

    (finding,) = findings(card)

    assert ("nextvec bundle build --baseline" in finding.advice) is is_told
