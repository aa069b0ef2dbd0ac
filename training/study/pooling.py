"""Windows of several splits put together: one interval for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.statistics import Estimate, estimate_sums
from nextvec.training.study.results import Result
from nextvec.training.study.summary import PARTS, Part

MIN_SPLITS: Final = 5
"""Splits that a claim needs (evaluation protocol, item sequences)."""

BASELINE: Final = "the best of each split"


def pooled(splits: Mapping[int, Sequence[Result]]) -> list[dict[str, Any]]:
    """Put results of the same network and seed on several splits together.

    A sequence can be in the same part of several splits. Its windows count there each
    time, and are drawn together in the bootstrap: they are not independent.

    Args:
        splits: results by the seed of their split.

    Returns:
        For each network and seed that every split has, what `rows_of` groups and
        `verdicts` reads: figures over all windows, and a lift over the best baseline
        that validation chose in each split. N is the largest of the splits.

    Raises:
        TrainingError: a result does not tell its hits by sequence.
    """
    found: dict[tuple[str, int], list[Result]] = {}
    for results in splits.values():
        for result in results:
            key = (result["architecture"], result["seed"])
            found.setdefault(key, []).append(result)
    return [
        {
            "name": f"{architecture}, seed {seed}",
            "architecture": architecture,
            "seed": seed,
            "k": own[0]["k"],
            **{part: {"pools": _pools(own, part)} for part in PARTS},
        }
        for (architecture, seed), own in found.items()
        if len(own) == len(splits)
    ]


def _pools(results: Sequence[Result], part: Part) -> list[dict[str, Any]]:
    names = [pool["pool"] for pool in results[0][part]["pools"]]
    return [
        _pool([r[part]["pools"][at] for r in results], _lift(results, part, name))
        for at, name in enumerate(names)
    ]


def _pool(pools: Sequence[Mapping[str, Any]], lift: Estimate) -> dict[str, Any]:
    windows = [int(pool["num_windows"]) for pool in pools]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=windows))

    cuts = pools[0]["hit_at"]
    included = [pool["hit_context_included"] for pool in pools]
    return {
        "pool": pools[0]["pool"],
        "num_candidates": max(pool["num_candidates"] for pool in pools),
        "num_windows": sum(windows),
        "hit_at": {
            cut: {"value": mean([pool["hit_at"][cut]["value"] for pool in pools])}
            for cut in cuts
        },
        "mrr_at_10": mean([pool["mrr_at_10"] for pool in pools]),
        "hit_context_included": None if None in included else mean(included),
        "baseline": BASELINE,
        "baseline_hit_at": {
            cut: mean([pool["baseline_hit_at"][cut] for pool in pools]) for cut in cuts
        },
        "lift": asdict(lift),
    }


def _lift(results: Sequence[Result], part: Part, pool: str) -> Estimate:
    """Estimate the lift over all windows, from what each sequence adds to it."""
    gains: dict[str, int] = {}
    windows: dict[str, int] = {}
    for result in results:
        if "sequences" not in result:
            msg = (
                f"{result['name']}: its result tells no hits by sequence, as those of "
                "runs on items do since they can be pooled: delete result and run"
            )
            raise TrainingError(msg)
        told = result["sequences"][part]
        own = told["pools"][pool]
        for name, count, hits, baseline_hits in zip(
            told["ids"], told["windows"], own["hits"], own["baseline_hits"], strict=True
        ):
            gains[name] = gains.get(name, 0) + hits - baseline_hits
            windows[name] = windows.get(name, 0) + count
    order = sorted(gains)
    return estimate_sums(
        np.array([float(gains[name]) for name in order]),
        np.array([windows[name] for name in order], dtype=np.int64),
    )
