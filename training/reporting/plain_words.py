"""What came out of a run in a few sentences, for somebody who has read nothing else."""

import math
from collections.abc import Mapping
from typing import Any, Final

from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.reporting.formats import percent

_WORDS: Final = 8
# Enough to tell two passages apart; five of them still fit four lines.

_NAMES: Final = {
    "baseline": "Baseline GRU",
    "memory": "Memory GRU",
    "hierarchical": "Hierarchical GRU",
    "transformer": "Transformer",
    "linear": "linear map",
    "slots": "Memory GRU with learned slots",
}


def in_plain_words(card: Mapping[str, Any]) -> list[str]:
    """Say what a run holds, how often it is right, and against what.

    Args:
        card: of a finished run.

    Returns:
        Sentences, one or two to a line; figures are those of the pool that early
        stopping watched, on validation and, looked at once, on test.
    """
    pool = _watched(card, "evaluation")
    if pool is None:
        return []
    return [
        _held(card, pool),
        _how_good(card, pool),
        *_on_test(card),
        *_readiness(card),
        *_example(card),
    ]


def _held(card: Mapping[str, Any], pool: Mapping[str, Any]) -> str:
    network = _NAMES.get(card["model"]["architecture"], card["model"]["architecture"])
    best, tried = card["best_epoch"], len(card["history"]) - 1
    if tried == 0:
        return f"No network was trained; it holds the closed form “{card['base']}”."
    if best == 0:
        return (
            f"The network did not help here: none of {tried} epochs of the {network} "
            f"was better than the closed form “{card['base']}”, which is what this run "
            "holds."
        )
    lift = Estimate.from_plain(pool["lift"])
    if lift.low > 0:
        shown = "did better than everything that needs no training"
    elif lift.high < 0 or (math.isinf(lift.high) and lift.value < 0):
        shown = f"did worse than {_quoted(pool)}, which needs no training"
    else:
        shown = "is not shown to be better than what needs no training"
    return f"The {network} of epoch {best} {shown}."


def _how_good(card: Mapping[str, Any], pool: Mapping[str, Any]) -> str:
    k, unit = card["k"], _unit(card)
    return (
        f"The true next one is its first answer in {percent(_hit(card, pool, 1))} of "
        f"{pool['num_windows']:,} windows of {unit} that training never saw, and among "
        f"the first {k} in {percent(_hit(card, pool))}, with "
        f"{pool['num_candidates']:,} candidates. The best without training, "
        f"{_quoted(pool)}, has {percent(pool['baseline_hit_at'][str(k)])}: "
        f"{points(Estimate.from_plain(pool['lift']))}."
    )


def _on_test(card: Mapping[str, Any]) -> list[str]:
    """Tell the one look at test; nothing if it is too small for that pool."""
    test = _watched(card, "test_evaluation")
    if test is None:
        return []
    lift = points(Estimate.from_plain(test["lift"]))
    hit = percent(_hit(card, test))
    return [f"On test, looked at once: {hit}, {lift} over {_quoted(test)}."]


def _readiness(card: Mapping[str, Any]) -> list[str]:
    """Say what keeps it from being ready, leaks above all; nothing if nothing does."""
    unmet = [
        check["name"]
        for check in card["readiness"]["checks"]
        if not check["is_met"] and check.get("gates", True)
    ]
    if not unmet:
        return []
    clean = (
        ""
        if card["evaluation"].get("is_clean", True)
        else " Too many windows had a target that is known from training: do not trust "
        "these figures."
    )
    return [f"Not ready to be relied on (NO-GO): {', '.join(unmet)}.{clean}"]


def _example(card: Mapping[str, Any]) -> list[str]:
    """Tell the question of the card that was answered best."""
    windows = (card.get("examples") or {}).get("windows", ())
    if not windows:
        return []
    # the clearest; what came is among the answers that are shown, if it ever is
    shown = min(windows, key=lambda window: window["rank"])
    before = ", ".join(_named(row) for row in shown["context"])
    answers = ", ".join(_named(row) for row in shown["neighbors"][:3])
    told = f"One of its better answers, in {shown['document']}, after {before}"
    return [f"{told}: {answers}. What came: {_named(shown['target'])}."]


def _watched(card: Mapping[str, Any], part: str) -> dict[str, Any] | None:
    """Return the pool that early stopping watched; None if the part lacks it."""
    pools: list[dict[str, Any]] = (card.get(part) or {}).get("pools", [])
    watched = card.get("selection_pool")
    return next((pool for pool in pools if pool["pool"] == watched), None)


def _hit(card: Mapping[str, Any], pool: Mapping[str, Any], k: int = 0) -> float:
    return float(pool["hit_at"][str(k or card["k"])]["value"])


def _quoted(pool: Mapping[str, Any]) -> str:
    return f"“{pool['baseline']}”"


def _unit(card: Mapping[str, Any]) -> str:
    return "sequences" if card["corpus"]["kind"] == "items" else "documents"


def _named(row: Mapping[str, str]) -> str:
    """Return the words of a row: a short text in full, of a long one its beginning."""
    words = (row.get("text") or row["id"]).split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")
