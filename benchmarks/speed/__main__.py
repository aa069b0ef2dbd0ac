"""All benchmarks, and a report of them: ``make bench`` after ``make run``."""

import argparse
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks.speed.load import load_section, measure_load
from benchmarks.speed.predictors import (
    BATCHES,
    PredictorFigures,
    measure_predictors,
)
from benchmarks.speed.ranking import (
    DIM,
    NUM_CANDIDATES,
    NUM_QUERIES,
    RankingFigures,
    measure_ranking,
)
from benchmarks.speed.search import (
    COUNTS,
    SHAPES,
    THREADS,
    SearchFigures,
    measure_search,
)
from benchmarks.speed.service import ServiceFigures, measure_service
from benchmarks.speed.training import TrainingFigures, measure_training, small
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import load_corpus, save_corpus
from nextvec.training.files import write_bytes
from nextvec.training.recipe import resolve
from nextvec.training.run import train
from nextvec.training.vectors import l2_normalize


def main() -> None:
    """Run everything and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("artifacts"))
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/reports"))
    told = parser.parse_args()
    bundles = told.root / "bundles"
    live = Registry(bundles).live()
    card = read_checkpoint_card(live)
    corpus_folder = Path(card["corpus"]["folder"])
    corpus = load_corpus(corpus_folder)
    print(f"service, D = {corpus.dim} ...")
    service = {
        corpus.dim: measure_service(bundles, corpus_folder, requests=told.requests)
    }
    print("service, D = 768 ...")
    service[768] = measure_wide(told.requests)
    trained = []
    for architecture in ("baseline", "memory", "hierarchical"):
        print(f"training, {architecture} ...")
        trained.append(measure_training(corpus, architecture))
    print("training, D = 768 ...")
    trained.append(measure_training(wide_corpus(), "memory"))
    print("search ...")
    searched = [
        measure_search(*shape, threads) for shape in SHAPES for threads in THREADS
    ]
    print("engines ...")
    engines = [figures for n in (1, 2) for figures in measure_predictors(n)]
    print("ranking ...")
    ranking = measure_ranking()
    written = report(
        card, len(corpus.vectors), service, searched, engines, trained, ranking
    )
    print("service under load ...")
    load = measure_load(bundles, rounds=7, seconds=3.0)
    lines = [line.rstrip() for line in (*written, *load_section(load))]
    now = datetime.now(UTC)
    path = told.out / f"{now:%Y-%m-%d}-{platform.machine()}-{psutil.cpu_count()}cpu.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, ("\n".join(lines) + "\n").encode())
    print(path.read_text())


def wide_corpus() -> Corpus:
    """Return 20,000 synthetic vectors of length 768 in 100 documents."""
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(100, 200, 768)).astype(np.float32)
    rows = steps + 2 * rng.normal(size=(100, 1, 768)).astype(np.float32)
    rows[:, 1:] += rows[:, :-1]
    return Corpus(
        vectors=l2_normalize(rows.reshape(-1, 768)),
        ids=[str(row) for row in range(20_000)],
        rows=np.arange(20_000),
        offsets=np.arange(0, 20_001, 200),
        document_ids=[str(document) for document in range(100)],
        card=CorpusCard(name="wide", encoder="none", source="synthetic"),
    )


def measure_wide(requests: int) -> ServiceFigures:
    """Measure the service on vectors of length 768."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        corpus = save_corpus(wide_corpus(), root / "corpus")
        train(corpus, small(resolve("default", {})), root / "run")
        bundles = root / "bundles"
        built = build_bundle(root / "run", bundles, corpus=root / "corpus")
        Registry(bundles).make_live(built)
        return measure_service(bundles, root / "corpus", requests=requests)


def report(
    card: dict[str, object],
    num_vectors: int,
    service: dict[int, ServiceFigures],
    searched: list[SearchFigures],
    engines: list[PredictorFigures],
    trained: list[TrainingFigures],
    ranking: RankingFigures,
) -> Iterator[str]:
    """Write the report, line by line."""
    now = datetime.now(UTC)
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("nextvec", "torch", "numpy", "faiss-cpu")
    )
    threads = next(iter(service.values())).threads
    yield f"# Benchmarks, {now:%Y-%m-%d}"
    yield ""
    yield f"{processor()}, {psutil.cpu_count()} CPUs, "
    yield f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.platform()}; "
    yield f"Python {platform.python_version()}, {versions}; threads of the "
    yield f"service {threads}, of training {torch.get_num_threads()}. "
    yield f"One run of `make bench`; bundle {card['name']}, "
    yield f"{num_vectors:,} vectors; D = 768: 20,000 synthetic vectors."
    yield ""
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
            f"{name} {size:.0f}" for name, size in figures.parts_mib.items()
        )
        yield (
            f"| {dim} | {figures.startup_s:.1f} | {figures.idle_mib:.0f} | "
            f"{figures.after_mib:.0f} | {parts} |"
        )
    yield ""
    yield from report_search(searched)
    yield ""
    yield from report_engines(engines)
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
    yield from report_ranking(ranking)


def report_ranking(ranking: RankingFigures) -> Iterator[str]:
    """Write what exact ranks cost."""
    yield "## Evaluation: exact ranks, without and with the context"
    yield ""
    yield "| queries | candidates | D | median s | fastest s | MiB before | peak MiB |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {NUM_QUERIES:,} | {NUM_CANDIDATES:,} | {DIM} "
        f"| {np.median(ranking.seconds):.1f} | {min(ranking.seconds):.1f} "
        f"| {ranking.data_mib:.0f} | {ranking.peak_mib:.0f} |"
    )


def report_search(searched: list[SearchFigures]) -> Iterator[str]:
    """Write what searches cost, alone and together."""
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


def report_engines(engines: list[PredictorFigures]) -> Iterator[str]:
    """Write what the engines save, line by line."""
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


def processor() -> str:
    """Name the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
