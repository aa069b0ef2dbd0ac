"""What the engines of a bundle save, for the three GRUs, of documents and of items."""

import time
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch.nn.functional import normalize

from nextvec.app.bundle.engine_names import EAGER, ENGINES
from nextvec.app.inference.predictors import make_predictor
from nextvec.training.corpus.corpus import Kind
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.vectors import CONTEXT_LENGTH

Architecture = Literal["baseline", "memory", "hierarchical"]

BATCHES: Final = (1, 4, 16, 32)
"""Contexts at a time."""

DIM: Final = 256
"""Length of a vector; a state has as many numbers."""

_NUM_ITEMS: Final = 3000
_REPEATS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorFigures:
    """Times of one network."""

    architecture: Architecture
    kind: Kind
    threads: int

    times_ms: dict[str, dict[int, float]]
    """By engine and contexts at a time, the median."""

    def best(self, batch: int) -> tuple[str, float]:
        """Return the fastest engine for a batch, and eager's time over its time."""
        at = {name: times[batch] for name, times in self.times_ms.items()}
        name = min(at, key=lambda name: at[name])
        return name, at[EAGER] / at[name]


def measure_predictors(threads: int) -> list[PredictorFigures]:
    """Time all engines in turn on networks of random weights, which cost the same.

    Args:
        threads: of torch, set back afterwards; the kernel has one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [
            _measure(architecture, kind, threads)
            for kind in get_args(Kind)
            for architecture in get_args(Architecture)
        ]
    finally:
        torch.set_num_threads(before)


def _measure(architecture: Architecture, kind: Kind, threads: int) -> PredictorFigures:
    model = _network(architecture, kind)
    predictors = {name: make_predictor(model, name) for name in ENGINES}
    # one thread's own time does not count what others do with the machine
    clock = time.thread_time if threads == 1 else time.perf_counter
    times_ms: dict[str, dict[int, float]] = {name: {} for name in ENGINES}
    for batch in BATCHES:
        context_BTD = normalize(torch.randn(batch, CONTEXT_LENGTH, DIM), dim=-1)
        length_B = torch.full((batch,), CONTEXT_LENGTH)
        took: dict[str, list[float]] = {name: [] for name in ENGINES}
        for _ in range(1 + _REPEATS):
            # in turn, so that a slow moment of the machine meets all of them
            for name, predictor in predictors.items():
                began = clock()
                predictor(context_BTD, length_B)
                took[name].append(1000 * (clock() - began))
        for name, values in took.items():
            times_ms[name][batch] = float(np.median(values[1:]))
    return PredictorFigures(
        architecture=architecture, kind=kind, threads=threads, times_ms=times_ms
    )


def _network(architecture: Architecture, kind: Kind) -> NextVectorModel:
    torch.manual_seed(0)
    is_items = kind == "items"
    config = ModelConfig(
        architecture=architecture,
        dim=DIM,
        hidden_size=DIM,
        num_items=_NUM_ITEMS if is_items else 0,
        can_copy=is_items,
        base=ClosedForm(memory=SequenceMemory()),
    )
    return NextVectorModel(config).eval()
