"""Parts of the report whose figures other modules measure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from benchmarks.speed.predictors import BATCHES, PredictorFigures
from benchmarks.speed.ranking import (
    DIM,
    NUM_CANDIDATES,
    NUM_QUERIES,
    RankingFigures,
)
from benchmarks.speed.search import COUNTS, SHAPES, SearchFigures
from benchmarks.speed.section import Goal, Section
from benchmarks.speed.service import ServiceFigures
from benchmarks.speed.training import TrainingFigures

_FASTER: Final = {1: 4.0, 32: 2.0}
# How many times faster than eager an engine is to be, by contexts at a time.

_SEARCH_SHARE: Final = 0.3


def service_section(service: Mapping[int, ServiceFigures]) -> Section:
    """Report what one client met, by length of a vector."""
    return Section(list(_service(service)))


def training_section(
    trained: Sequence[TrainingFigures], card: Mapping[str, Any]
) -> Section:
    """Report how fast networks train, and how long the run of a card took."""
    return Section(list(_training(trained, card)))


def search_section(searched: Sequence[SearchFigures]) -> Section:
    """Report what searches cost, alone and together."""
    goals = [
        Goal(
            what=f"search of 32 at once over 32 times one of flat, "
            f"{found.num_rows:,} x {found.dim}, threads {found.threads}",
            found=min(found.share(kind, "flat") for kind in found.milliseconds),
            most=_SEARCH_SHARE,
        )
        for found in searched
        if (found.num_rows, found.dim) == SHAPES[0]
    ]
    return Section(list(_search(searched)), goals)


def engines_section(engines: Sequence[PredictorFigures]) -> Section:
    """Report what the engines save."""
    goals = [
        Goal(
            what=f"{found.best(batch)[0]} over eager, Memory GRU of documents, "
            f"{batch} at a time, threads {found.threads}",
            found=found.best(batch)[1],
            least=least,
        )
        for found in engines
        if (found.kind, found.architecture) == ("documents", "memory")
        for batch, least in _FASTER.items()
    ]
    return Section(list(_engines(engines)), goals)


def ranking_section(ranking: RankingFigures) -> Section:
    """Report what exact ranks cost."""
    return Section(list(_ranking(ranking)))


def _service(service: Mapping[int, ServiceFigures]) -> Iterator[str]:
    yield "## Service, one client, contexts of 100 vectors, k = 10"
    yield ""
    yield "| D | body | p50 ms | p99 ms | p50 against octets |"
    yield "|---|---|---|---|---|"
    for dim, figures in service.items():
        octets = np.median(figures.latencies_ms["octets"])
        for name, values in figures.latencies_ms.items():
            p50, p99 = np.percentile(values, [50, 99])
            yield f"| {dim} | {name} | {p50:.1f} | {p99:.1f} | {p50 / octets:.2f} |"
    yield ""
    yield "| D | octets | p99 ms | ratio | requests |"
    yield "|---|---|---|---|---|"
    for dim, figures in service.items():
        idle = np.percentile(figures.latencies_ms["octets"], 99)
        for name, values in (
            ("idle", figures.latencies_ms["octets"]),
            (
                f"during validation runs of {figures.hitk_s:.1f} s",
                figures.during_hitk_ms,
            ),
            ("during cached /metrics/hitk polls", figures.during_polls_ms),
        ):
            p99 = np.percentile(values, 99)
            yield f"| {dim} | {name} | {p99:.1f} | {p99 / idle:.2f} | {len(values)} |"
    yield ""
    yield "| D | start to ready, s | MiB, ready | MiB after all requests | by part |"
    yield "|---|---|---|---|---|"
    for dim, figures in service.items():
        parts = ", ".join(
            f"{name} {size:.0f}"
            for name, size in figures.parts_mib.items()
            if size >= 0.5
        )
        yield (
            f"| {dim} | {figures.startup_s:.1f} | {figures.idle_mib:.0f} | "
            f"{figures.after_mib:.0f} | {parts} |"
        )
    yield ""


def _training(
    trained: Sequence[TrainingFigures], card: Mapping[str, Any]
) -> Iterator[str]:
    yield "## Training, default recipe, the faster of two epochs"
    yield ""
    yield "| D | network | parameters | windows an epoch | windows a s | epoch, s |"
    yield "|---|---|---|---|---|---|"
    for run in trained:
        yield (
            f"| {run.dim} | {run.architecture} | {run.parameters:,} "
            f"| {run.targets:,} | "
            f"{run.windows_per_s:,.0f} | {run.training_s:.1f} + {run.measuring_s:.1f} |"
        )
    yield ""
    yield "An epoch's second part is its measurements."
    history = card["history"]
    if isinstance(history, list):
        best = history[: int(str(card["best_epoch"])) + 1]
        spent = sum(epoch["seconds"] for epoch in best)
        yield f"The live bundle's run reached its best epoch ({card['best_epoch']} of "
        yield f"{len(history) - 1}) after {spent:.0f} s of training."
    yield ""


def _search(searched: Sequence[SearchFigures]) -> Iterator[str]:
    yield "## Search: ten neighbors, a context of 100 left out"
    yield ""
    yield "Medians in ms; in brackets the time of processors. The last column is exact "
    yield "search of 32 at once over 32 times one of the flat index."
    yield ""
    head = " | ".join(f"{count} at once" for count in COUNTS)
    yield f"| vectors | D | threads | index | MiB | {head} | 32 over 32 times one |"
    yield "|---" * (6 + len(COUNTS)) + "|"
    for figures in searched:
        for kind, taken in figures.milliseconds.items():
            spent = figures.processor_ms[kind]
            times = " | ".join(f"{taken[n]:.1f} ({spent[n]:.1f})" for n in COUNTS)
            yield (
                f"| {figures.num_rows:,} | {figures.dim} | {figures.threads} | {kind} "
                f"| {figures.files_mib[kind]:.0f} | {times} "
                f"| {figures.share(kind, 'flat'):.2f} |"
            )
    yield ""


def _engines(engines: Sequence[PredictorFigures]) -> Iterator[str]:
    yield "## Engines: the best over eager, contexts of 100 vectors"
    yield ""
    columns = " | ".join(f"{batch} at a time" for batch in BATCHES)
    yield f"| of | network | threads | eager, ms for one | {columns} |"
    yield "|---" * (4 + len(BATCHES)) + "|"
    for figures in engines:
        best = [figures.best(batch) for batch in BATCHES]
        told = " | ".join(f"{name} {ratio:.1f}" for name, ratio in best)
        eager = figures.times_ms["eager"][1]
        yield (
            f"| {figures.kind} | {figures.architecture} | {figures.threads} "
            f"| {eager:.1f} | {told} |"
        )
    yield ""


def _ranking(ranking: RankingFigures) -> Iterator[str]:
    yield "## Evaluation: exact ranks, without and with the context"
    yield ""
    yield "| queries | candidates | D | median s | fastest s | MiB before | peak MiB |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {NUM_QUERIES:,} | {NUM_CANDIDATES:,} | {DIM} "
        f"| {np.median(ranking.seconds):.1f} | {min(ranking.seconds):.1f} "
        f"| {ranking.data_mib:.0f} | {ranking.peak_mib:.0f} |"
    )
    yield ""
