"""What the benchmarks are made of, by name."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch

from benchmarks.servers.comparison import compare, comparison_section
from benchmarks.speed.load import load_section, measure_load
from benchmarks.speed.memory import measure_memory, memory_section
from benchmarks.speed.predictors import measure_predictors
from benchmarks.speed.ranking import measure_ranking
from benchmarks.speed.search import SHAPES, THREADS, measure_search
from benchmarks.speed.section import Goal, Section
from benchmarks.speed.sections import (
    engines_section,
    ranking_section,
    search_section,
    service_section,
    training_section,
)
from benchmarks.speed.service import ServiceFigures, measure_service
from benchmarks.speed.sessions import networks
from benchmarks.speed.synthetic import BEST, PLAIN, make_bundles
from benchmarks.speed.traffic import measure_traffic, traffic_section
from benchmarks.speed.training import measure_training, small
from nextvec.app.release.building import build_bundle
from nextvec.app.release.registry import Registry
from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import load_corpus, save_corpus
from nextvec.training.recipe import resolve
from nextvec.training.run import train
from nextvec.training.vectors import l2_normalize

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What parts measure, and how often."""

    root: Path
    """Where `make run` leaves its artifacts."""

    scratch: Path
    """An empty folder."""

    environments: Path
    """Where the other servers' virtual environments are, or are made."""

    requests: int
    """Of one client to the live bundle, of each kind of body."""

    mixed: int
    """Mixed requests."""

    rounds: int
    """Of what takes turns."""

    seconds: float
    """That many clients ask in each round."""

    _made: dict[Shape, Mapping[str, Path]] = field(default_factory=dict)

    @property
    def bundles(self) -> Path:
        """Folder of the bundles of `make run`."""
        return self.root / "bundles"

    def card(self) -> dict[str, Any]:
        """Return the card of the live bundle."""
        return read_checkpoint_card(Registry(self.bundles).live())

    def corpus(self) -> Path:
        """Return the folder of the corpus that it was made from."""
        return Path(self.card()["corpus"]["folder"])

    def made(self, shape: Shape) -> Mapping[str, Path]:
        """Return bundles of rows and dim, ``best`` and ``plain``; made once."""
        if shape not in self._made:
            rows, dim = shape
            folder = self.scratch / f"{rows}x{dim}"
            folder.mkdir()
            ways = {"best": BEST, "plain": PLAIN}
            made = make_bundles(folder, ways, rows=rows, dim=dim)
            self._made[shape] = MappingProxyType(made)
        return self._made[shape]


def _service(material: Material) -> Section:
    live, wide = material.corpus(), _measure_wide(material.requests)
    found = measure_service(material.bundles, live, requests=material.requests)
    return service_section({load_corpus(live).dim: found, 768: wide})


def _load(material: Material) -> Section:
    lines, goals = list[str](), list[Goal]()
    for rows, dim in SHAPES:
        best = material.made((rows, dim))["best"]
        figures = measure_load(best, rounds=material.rounds, seconds=material.seconds)
        section = load_section(figures, f"{rows:,} x {dim}")
        lines += section.lines
        goals += section.goals
    return Section(lines, goals)


def _peers(material: Material) -> Section:
    rows, dim = SHAPES[0]
    made = material.made((rows, dim))
    found = compare(
        made["best"],
        made["plain"],
        material.environments,
        rounds=material.rounds,
        seconds=material.seconds,
    )
    return comparison_section(found, rows=rows, dim=dim)


def _traffic(material: Material) -> Section:
    best = material.made(SHAPES[0])["best"]
    return traffic_section(measure_traffic(best, requests=material.mixed))


def _memory(material: Material) -> Section:
    rows, dim = SHAPES[0]
    stages = measure_memory(material.made((rows, dim))["best"])
    return memory_section(f"{rows:,} x {dim}", stages)


def _search(_: Material) -> Section:
    return search_section(
        [measure_search(*shape, threads) for shape in SHAPES for threads in THREADS]
    )


def _engines(_: Material) -> Section:
    return engines_section([one for n in (1, 2) for one in measure_predictors(n)])


def _steps(_: Material) -> Section:
    title = "## A step of a session beside a whole context, the network alone"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return Section([title, "", *networks(), ""])
    finally:
        torch.set_num_threads(before)


def _ranking(_: Material) -> Section:
    return ranking_section(measure_ranking())


def _training(material: Material) -> Section:
    corpus = load_corpus(material.corpus())
    trained = [
        measure_training(corpus, "baseline"),
        measure_training(corpus, "memory"),
        measure_training(corpus, "hierarchical"),
        measure_training(_wide_corpus(), "memory"),
    ]
    return training_section(trained, material.card())


PARTS: Final[Mapping[str, Callable[[Material], Section]]] = {
    "service": _service,
    "load": _load,
    "peers": _peers,
    "traffic": _traffic,
    "memory": _memory,
    "search": _search,
    "engines": _engines,
    "steps": _steps,
    "training": _training,
    "ranking": _ranking,
}
"""In the order of the report; service and training need the live bundle."""


def _wide_corpus() -> Corpus:
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


def _measure_wide(requests: int) -> ServiceFigures:
    """Measure the service on vectors of length 768."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        corpus = save_corpus(_wide_corpus(), root / "corpus")
        train(corpus, small(resolve("default", {})), root / "run")
        bundles = root / "bundles"
        built = build_bundle(root / "run", bundles, corpus=root / "corpus")
        Registry(bundles).make_live(built)
        return measure_service(bundles, root / "corpus", requests=requests)
