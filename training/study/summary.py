"""Rows of a study: one for each architecture, over its seeds, and what they show."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.study.results import Result

Part = Literal["evaluation", "test_evaluation"]

PARTS: Final[dict[Part, str]] = {"evaluation": "validation", "test_evaluation": "test"}
"""The parts by their names in a result, and what people call them."""

TITLES: Final[dict[str, str]] = {
    "baseline": "Baseline GRU",
    "memory": "Memory GRU",
    "hierarchical": "Hierarchical GRU",
    "linear": "linear model",
    "transformer": "transformer",
}
"""What people call the architectures: "baseline" alone would be taken for one."""

MIN_SEEDS: Final = 3
"""Seeds that a claim needs (evaluation protocol, rule 9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """What an architecture reaches in one pool, over its seeds."""

    pool: str
    num_candidates: int
    hit_at: dict[str, float]
    """Mean over seeds, by cut-off."""

    mrr_at_10: float
    hit_context_included: float | None
    """Mean over seeds of the headline's Hit@K with the context's vectors among the
    candidates; None where that was not measured."""

    hit_plain: float | None
    """Mean over seeds of the headline's Hit@K where candidates are scored by their
    cosine alone; None where hubs are not taken off."""

    bits: float | None
    """Mean over seeds of ``-log2 P`` of the target; None where a network gives no
    probabilities."""

    lift: Estimate
    """Mean over seeds; least lower and highest upper bound of their intervals."""

    lift_range: tuple[float, float]
    baseline: str
    baseline_hit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One architecture."""

    architecture: str
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        """What a report calls it."""
        return TITLES.get(self.architecture, self.architecture)

    @property
    def seeds(self) -> list[int]:
        """Its seeds, ascending."""
        return [result["seed"] for result in self.results]

    @property
    def best_epochs(self) -> str:
        """Best of the trained epochs, for each seed."""
        return ", ".join(
            f"{result['best_epoch']} of {len(result['history']) - 1}"
            for result in self.results
        )

    def epochs(self, name: str) -> tuple[float, float]:
        """Mean over seeds of one figure of the history: best epoch, and last epoch."""
        best = _mean(r["history"][r["best_epoch"]][name] for r in self.results)
        return best, _mean(r["history"][-1][name] for r in self.results)

    @property
    def mean_cosine(self) -> float:
        """Mean cosine to the validation target, mean over seeds."""
        return _mean(r["evaluation"]["mean_cosine"] for r in self.results)

    def diagnostic(self, name: str) -> float | None:
        """Mean over seeds of one figure of the diagnostics, None if not measured."""
        found = [r["diagnostics"][name] for r in self.results]
        if any(value is None for value in found):
            return None
        return _mean(
            value["value"] if isinstance(value, Mapping) else value for value in found
        )

    def by_context_length(self) -> dict[str, float]:
        """Mean over seeds of Hit@K, by vectors of context."""
        lengths = self.results[0]["diagnostics"]["by_context_length"]
        return {
            n: _mean(r["diagnostics"]["by_context_length"][n] for r in self.results)
            for n in lengths
        }

    def pools(self, part: Part) -> list[PoolFigures]:
        """Figures of every pool on one part."""
        return [
            _figures([r[part]["pools"][at] for r in self.results], self.results[0]["k"])
            for at in range(len(self.results[0][part]["pools"]))
        ]


def rows_of(results: Sequence[Result]) -> list[Row]:
    """Group results by architecture, in the order in which these first come."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result["architecture"], []).append(result)
    return [
        Row(
            architecture=name,
            results=tuple(sorted(own, key=lambda result: int(result["seed"]))),
        )
        for name, own in grouped.items()
    ]


def _figures(pools: Sequence[Mapping[str, Any]], k: int) -> PoolFigures:
    """Put the same pool of several seeds together."""
    lifts = [Estimate.from_plain(pool["lift"]) for pool in pools]
    included = [pool["hit_context_included"] for pool in pools]
    plain = [pool.get("hit_plain") for pool in pools]
    bits = [(pool.get("bits") or {}).get("value") for pool in pools]
    first = pools[0]
    return PoolFigures(
        pool=first["pool"],
        num_candidates=first["num_candidates"],
        hit_at={
            cut: _mean(pool["hit_at"][cut]["value"] for pool in pools)
            for cut in first["hit_at"]
        },
        mrr_at_10=_mean(pool["mrr_at_10"] for pool in pools),
        hit_context_included=None if None in included else _mean(included),
        hit_plain=None if None in plain else _mean(plain),
        bits=None if None in bits else _mean(bits),
        lift=Estimate(
            value=_mean(lift.value for lift in lifts),
            low=min(lift.low for lift in lifts),
            high=max(lift.high for lift in lifts),
        ),
        lift_range=(min(x.value for x in lifts), max(x.value for x in lifts)),
        baseline=first["baseline"],
        baseline_hit=first["baseline_hit_at"][str(k)],
    )


def verdicts(rows: Sequence[Row], part: Part = "evaluation") -> list[str]:
    """Say for each pool of a part which networks beat its best baseline.

    A network does if the interval of its lift is above zero with every seed, and is
    worse if it is below; with fewer than `MIN_SEEDS` seeds that is called a sign, and
    no claim.
    """
    sentences = []
    for at, first in enumerate(rows[0].pools(part)):
        figures = {row.title: row.pools(part)[at] for row in rows}
        better = {name: f for name, f in figures.items() if f.lift.low > 0}
        worse = [
            f"{row.title}{_reservation(row)}"
            for row in rows
            if figures[row.title].lift.high < 0
        ]
        where = f"{first.pool} (N = {first.num_candidates:,})"
        over = f"“{first.baseline}” ({first.baseline_hit:.1%})"
        if better:
            best = ", ".join(
                f"{row.title} {points(better[row.title].lift)}{_reservation(row)}"
                for row in rows
                if row.title in better
            )
            sentences.append(f"{where}: better than {over}: {best}.")
        elif any(math.isinf(f.lift.low) for f in figures.values()):
            sentences.append(f"{where}: too few documents to tell anything.")
        else:
            sentences.append(f"{where}: no network is shown to be better than {over}.")
        if worse:
            sentences[-1] += f" Shown to be worse: {', '.join(worse)}."
    return sentences


def _reservation(row: Row) -> str:
    if len(row.seeds) >= MIN_SEEDS:
        return ""
    return f" (a sign, not a claim: {len(row.seeds)} of {MIN_SEEDS} seeds)"


def _mean(values: Iterable[Any]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found)
