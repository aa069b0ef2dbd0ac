"""How fast a network trains, and how long a run takes to its best epoch."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.fit.loop import fit
from nextvec.training.listener import Epoch, NullListener
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.recipe import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFigures:
    """What one epoch takes."""

    architecture: str
    dim: int
    parameters: int
    targets: int
    """Vectors predicted in an epoch, each after a context of up to 100."""

    training_s: float
    """Time of the epoch, its measurements left out."""

    measuring_s: float
    """Time of the measurements."""

    @property
    def windows_per_s(self) -> float:
        """Windows (a context and its target) trained on in a second."""
        return self.targets / self.training_s


class _Clock(NullListener):
    """Notes when the steps of an epoch end, and when its measurements do."""

    def __init__(self) -> None:
        self.last_step = 0.0
        self.epochs: list[tuple[float, float]] = []
        self._start = time.perf_counter()

    def progress(self, done: int, total: int) -> None:
        """Note when the last step so far ended."""
        del done, total
        self.last_step = time.perf_counter()

    def epoch(self, epoch: Epoch) -> None:
        """Note both parts of an epoch."""
        now = time.perf_counter()
        if epoch.number:
            self.epochs.append((self.last_step - self._start, now - self.last_step))
        self._start = now


def measure_training(
    corpus: Corpus, architecture: Architecture, *, epochs: int = 2
) -> TrainingFigures:
    """Train a few epochs with the default recipe, and keep the fastest."""
    told = {"architecture": architecture, "max_epochs": epochs, "patience": epochs + 1}
    config = resolve("default", told)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(corpus, config, SharedCache(), NullListener())
        model = NextVectorModel(ModelConfig.of(config, dim=corpus.dim))
        fit(model, prepared, config, Path(folder), clock)
    train = prepared.split.train
    training_s, measuring_s = min(clock.epochs)
    return TrainingFigures(
        architecture=architecture,
        dim=corpus.dim,
        parameters=sum(p.numel() for p in model.parameters()),
        targets=int(corpus.lengths[train].sum()) - len(train),
        training_s=training_s,
        measuring_s=measuring_s,
    )


def small(config: TrainingConfig) -> TrainingConfig:
    """Return the same options for a run of seconds."""
    return replace(config, max_epochs=1, bank_size=1024)
