"""A diagnosis by rules: what a run's card gives away, and what to try.

Each rule is a pure function of the card. A card that lacks what a rule reads (an older
one, or the few figures of somebody else's report) gives no finding of that rule.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from nextvec.training.evaluation.statistics import MIN_DOCUMENTS, Estimate, points
from nextvec.training.evaluation.suite import MAX_LEAKED_SHARE
from nextvec.training.reporting.finding import (
    CHANCE_FACTOR,
    DEGRADED_DROP,
    EASY_SHARE,
    HIGH_COSINE,
    LONG_CONTEXT_GAIN,
    SUSPICIOUS_LIFT,
    WIDENED_COSINE,
    WIDENED_HIT,
    Finding,
    RuleName,
    found,
)

Card = Mapping[str, Any]
Rule = Callable[[Card], Finding | None]


def findings(card: Card) -> list[Finding]:
    """Hold a card against every rule.

    Args:
        card: of a run, as in ``card.json``; left unchanged.

    Returns:
        The findings in the order of `RULES`, maybe none.
    """
    spoken = (rule(card) for rule in RULES.values())
    return [finding for finding in spoken if finding is not None]


def leaked_windows(card: Card) -> Finding | None:
    """Too many windows whose target is known from training."""
    shares = {}
    for part in ("evaluation", "test_evaluation"):
        evaluation = card.get(part, {})
        leaked, pools = evaluation.get("num_leaked"), evaluation.get("pools")
        if leaked is None or not pools:
            continue
        share = leaked / max(1, leaked + pools[0]["num_windows"])
        if share > MAX_LEAKED_SHARE:
            shares[evaluation["part"]] = f"{share:.1%} of the {evaluation['part']}"
    if not shares:
        return None
    return found(
        "leaked windows",
        "problem",
        f"{' and '.join(shares.values())} windows had a target that is in a training "
        "document too. They were left out, but the rest is not above suspicion.",
        "Look for documents that the source ships twice, and build the corpus anew "
        "without them.",
    )


def suspicious_lift(card: Card) -> Finding | None:
    """A lift too good to be true."""
    if card.get("corpus", {}).get("kind") != "documents":
        return None
    high = {
        pool["pool"]: lift
        for pool, lift in _lifts(card)
        if lift.value > SUSPICIOUS_LIFT
    }
    if not high:
        return None
    return found(
        "suspicious lift",
        "problem",
        f"The lift over the best baseline is {_listed(high)}: on documents a leak "
        "until shown otherwise.",
        "Search validation documents for near copies of training documents, and look "
        "at the examples. If the order of these documents follows a rule, say so.",
    )


def too_few_documents(card: Card) -> Finding | None:
    """No interval, so that nothing is shown."""
    gains = [lift for _, lift in _lifts(card)] + [_gain(card, "shuffled_loss")]
    if not any(gain is not None and math.isinf(gain.low) for gain in gains):
        return None
    return found(
        "too few documents",
        "warning",
        f"Fewer than {MIN_DOCUMENTS} validation documents have windows, so that no "
        "difference has an interval: lift, order and memory are told by their sign "
        "alone, and nothing is shown.",
        "More documents of more than 100 passages; a larger --validation-share.",
    )


def cosine_without_hits(card: Card) -> Finding | None:
    """A cosine that looks like success where nothing is found."""
    evaluation, k = card.get("evaluation", {}), _k(card)
    is_items = card.get("corpus", {}).get("kind") == "items"
    pool = _pool(card, "index" if is_items else "targets")
    cosine = evaluation.get("mean_cosine")
    if pool is None or cosine is None or cosine < HIGH_COSINE:
        return None
    hit = Estimate.from_plain(pool["hit_at"][str(k)])
    num_candidates = pool["num_candidates"]
    chance = k / num_candidates
    # where candidates are few, luck alone comes far: ten times luck would be everything
    least = min(CHANCE_FACTOR * chance, (1 + chance) / 2)
    # an interval without end says nothing; the factor still does
    is_within = math.isfinite(hit.low) and hit.low <= chance
    if hit.value >= least and not is_within:
        return None
    return found(
        "cosine high, Hit@K at chance",
        "problem",
        f"The mean cosine to the target is {cosine:.3f}, but Hit@{k} is "
        f"{hit.value:.1%} of N = {num_candidates:,}, where luck alone gives "
        f"{chance:.2%}: the predictions lie near the mean of everything and tell "
        "nothing apart.",
        f"Select on Hit@{k}, never on cosine; put the loss on the reconstructed vector "
        "with more negatives (--lambda-infonce), and center or whiten (--transform).",
    )


def no_better_than_copying(card: Card) -> Finding | None:
    """No lift over what needs no training."""
    low = {
        pool["pool"]: lift for pool, lift in _lifts(card) if not _is_above_zero(lift)
    }
    if not low:
        return None
    names = {pool["pool"]: pool["baseline"] for pool, _ in _lifts(card)}
    over = ", ".join(dict.fromkeys(f"“{names[pool]}”" for pool in low))
    is_worse = any(lift.high < 0 for lift in low.values())
    return found(
        "no better than copying",
        "problem" if is_worse else "warning",
        f"The lift over {over} (the best without a network) is not shown to be above "
        f"zero: {_listed(low)}.",
        f"Train on more {_unit(card)}: a lift of a point needs hundreds of validation "
        f"{_unit(card)} to show.{_serve_baseline(card, low)}",
    )


def no_better_than_base(card: Card) -> Finding | None:
    """Early stopping went back to the untrained state."""
    if card.get("best_epoch") != 0:
        return None
    tried = len(card.get("history", ())) - 1
    if tried == 0:
        # nothing was tried: the closed form is what was asked for
        return None
    epochs = "1 trained epoch" if tried == 1 else f"{tried} trained epochs"
    return found(
        "no better than its base",
        "warning",
        f"The best epoch is 0: of {epochs} none beat the closed form "
        f"“{card.get('base')}”, which is what this run holds.",
        f"A smaller --lr, other seeds; then more training {_unit(card)}.",
    )


def degraded(card: Card) -> Finding | None:
    """Trained on past its peak."""
    history = card.get("history", ())
    if not history:
        return None
    best, last = max(history, key=lambda epoch: epoch["score"]), history[-1]
    drop = best["score"] - last["score"]
    if last["number"] <= best["number"] or drop <= DEGRADED_DROP:
        return None
    return found(
        "degraded after its peak",
        "warning",
        f"Validation Hit@{_k(card)} was {best['score']:.2%} after epoch "
        f"{best['number']} and {last['score']:.2%} after epoch {last['number']}: "
        f"training on cost {100 * drop:.1f} points. Only the weights of epoch "
        f"{best['number']} are worth keeping.",
        f"Early stopping on Hit@{_k(card)} with the best weights restored (--patience "
        "3); a smaller --lr; a loss that cares for what is within reach (--gce-q).",
    )


def over_fitting(card: Card) -> Finding | None:
    """Learns training documents by heart."""
    history = card.get("history", ())
    for what, train, validation, limit in (
        (f"Hit@{_k(card)}", "train_score", "score", WIDENED_HIT),
        ("cosine", "train_cosine", "validation_cosine", WIDENED_COSINE),
    ):
        known = [
            epoch
            for epoch in history
            if epoch.get(train) is not None and epoch.get(validation) is not None
        ]
        if not known:
            continue
        first, last = known[0], known[-1]
        gap = last[train] - last[validation]
        if first["number"] > 0:
            # without an epoch 0 the gap counts whole: untrained, nothing is known
            # by heart
            widened, rose, start = gap, False, ""
        else:
            if last[train] <= first[train]:
                continue
            widened = gap - (first[train] - first[validation])
            rose = last[validation] > first[validation]
            start = f", from {first[train]:.3f} and {first[validation]:.3f} at epoch 0"
        # a gap the other way round is no learning by heart, however it moved
        if widened <= limit or gap <= 0:
            continue
        moved = "rose less" if rose else "did not rise with it"
        return found(
            "over-fitting",
            "notice" if rose else "warning",
            f"{what} is {last[train]:.3f} on training and {last[validation]:.3f} on "
            f"validation documents after epoch {last['number']}{start}: the gap grew "
            f"by {widened:.3f}, and validation {moved}.",
            "More --dropout and --input-dropout, more --weight-decay, a smaller "
            f"--hidden-size or --lr; above all, more training {_unit(card)}.",
        )
    return None


def order_does_not_matter(card: Card) -> Finding | None:
    """Knows the topic, not the order."""
    loss = _gain(card, "shuffled_loss")
    if loss is None or _is_above_zero(loss):
        return None
    return found(
        "order does not matter",
        "warning",
        f"Shuffling the context costs {points(loss)} of Hit@{_k(card)}, not shown to "
        "be above zero: what is known of the topic is enough for that.",
        "Check that documents are in reading order; more negatives of the same "
        "document (--document-negatives) ask for the order.",
    )


def long_context_does_not_pay(card: Card) -> Finding | None:
    """The oldest vectors bring nothing."""
    by_length = card.get("diagnostics", {}).get("by_context_length", {})
    if len(by_length) < 2:
        return None
    short, long = min(by_length, key=int), max(by_length, key=int)
    gain = by_length[long] - by_length[short]
    if gain >= LONG_CONTEXT_GAIN:
        return None
    return found(
        "long context does not pay",
        "notice",
        f"Hit@{_k(card)} is {by_length[long]:.1%} with {long} vectors of context and "
        f"{by_length[short]:.1%} with the newest {short} of the same windows: "
        f"{100 * gain:+.1f} points.",
        f"Send {short} vectors instead of {long}: the answers are about as good and "
        "cost less.",
    )


def memory_brings_nothing(card: Card) -> Finding | None:
    """The memory's reads do not differ to any effect."""
    gain = _gain(card, "memory_gain")
    if gain is None or _is_above_zero(gain):
        return None
    return found(
        "memory brings nothing",
        "notice",
        f"Its reads bring {points(gain)} of Hit@{_k(card)} against their own mean, not "
        "shown to be above zero.",
        "Take --architecture baseline, which is smaller.",
    )


def still_rising(card: Card) -> Finding | None:
    """Was stopped by the number of epochs, not by its validation."""
    history = card.get("history", ())
    last = len(history) - 1
    told = card.get("options", {}).get("max_epochs")
    if not last or card.get("best_epoch") != last or last != told:
        return None
    rose = history[-1]["score"] - history[-2]["score"]
    return found(
        "still rising at its last epoch",
        "notice",
        f"The best epoch is {last} of {last}: validation Hit@{_k(card)} rose by "
        f"{100 * rose:.1f} points in the last one, and training ended because "
        "it was told to.",
        f"A larger --max-epochs than {last}.",
    )


def hits_tell_nothing_apart(card: Card) -> Finding | None:
    """Everything is a hit, with or without a network."""
    pools, k = card.get("evaluation", {}).get("pools", ()), str(_k(card))
    shares = [pool.get("baseline_hit_at", {}).get(k) for pool in pools]
    if not shares or any(share is None or share < EASY_SHARE for share in shares):
        return None
    history, best = card.get("history", ()), card.get("best_epoch")
    cosines = [
        epoch["validation_cosine"]
        for epoch in history
        if epoch["number"] in {0, best} and epoch.get("validation_cosine") is not None
    ]
    moved = f" The mean cosine to the target is {cosines[-1]:.3f}" if cosines else ""
    if len(cosines) > 1:
        gain = cosines[-1] - cosines[0]
        moved += f", {gain:+.3f} over that of its base, which tells them apart"
    return found(
        "hits tell nothing apart",
        "notice",
        f"The best baseline has Hit@{k} of {min(shares):.1%} or more in every pool: "
        f"there is nothing to win, and a lift of zero says nothing.{moved}"
        f"{'.' if moved else ''}",
        "Look at Hit@1 and at the cosine; for a harder question, a larger index of "
        "vectors that lie nearer to each other.",
    )


RULES: Final[dict[RuleName, Rule]] = {
    "leaked windows": leaked_windows,
    "suspicious lift": suspicious_lift,
    "too few documents": too_few_documents,
    "cosine high, Hit@K at chance": cosine_without_hits,
    "no better than copying": no_better_than_copying,
    "no better than its base": no_better_than_base,
    "degraded after its peak": degraded,
    "over-fitting": over_fitting,
    "order does not matter": order_does_not_matter,
    "long context does not pay": long_context_does_not_pay,
    "memory brings nothing": memory_brings_nothing,
    "still rising at its last epoch": still_rising,
    "hits tell nothing apart": hits_tell_nothing_apart,
}
"""Every rule, those first that make the others void."""


def _unit(card: Card) -> str:
    is_items = card.get("corpus", {}).get("kind") == "items"
    return "sequences" if is_items else "documents"


def _serve_baseline(card: Card, low: Mapping[str, Estimate]) -> str:
    """Name the command that serves a closed form, where one is the best baseline."""
    if _unit(card) == "sequences":
        return (
            " Or serve the best closed form over ids: nextvec bundle build --baseline."
        )
    best = {pool["baseline"] for pool, _ in _lifts(card) if pool["pool"] in low}
    if best != {card.get("base")}:
        return ""
    return " Or serve the baseline: nextvec bundle build --baseline."


def _k(card: Card) -> int:
    """Cut-off of the headline; a report from elsewhere means 5."""
    k: int = card.get("k", 5)
    return k


def _pool(card: Card, name: str) -> dict[str, Any] | None:
    pools = card.get("evaluation", {}).get("pools", ())
    return next((pool for pool in pools if pool["pool"] == name), None)


def _lifts(card: Card) -> list[tuple[dict[str, Any], Estimate]]:
    pools = card.get("evaluation", {}).get("pools", ())
    return [
        (pool, Estimate.from_plain(pool["lift"])) for pool in pools if pool.get("lift")
    ]


def _gain(card: Card, name: str) -> Estimate | None:
    plain = card.get("diagnostics", {}).get(name)
    return None if plain is None else Estimate.from_plain(plain)


def _is_above_zero(gain: Estimate) -> bool:
    """Whether its interval is; by the value where there is no interval."""
    return (gain.value if math.isinf(gain.low) else gain.low) > 0


def _listed(lifts: Mapping[str, Estimate]) -> str:
    return ", ".join(f"{points(lift)} in {pool}" for pool, lift in lifts.items())
