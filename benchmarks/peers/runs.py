"""Training runs in the other environment, each done once."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.baseline import BestBaseline
from benchmarks.peers.environment import LIBRARIES, make_environment
from benchmarks.peers.export import Export
from benchmarks.peers.results import figures
from benchmarks.peers.settings import Settings
from nextvec.training.errors import TrainingError

_REPOSITORY = Path(__file__).parents[2]

Run = dict[str, np.ndarray]


class Runs:
    """The runs on one export, kept in a folder by what they were made of."""

    def __init__(self, export: Export, folder: Path, environments: Path) -> None:
        """Prepare the runs; nothing is made before there is one to train.

        Args:
            export: sequences and windows.
            folder: where the export and the runs lie, no place to publish.
            environments: folder of the libraries' virtual environments.
        """
        self._export, self._environments = export, environments
        self._folder = folder.absolute()

    def run(self, settings: Settings) -> Run:
        """Return a run's ranks and course, training it if that was never done.

        Raises:
            TrainingError: the training failed.
        """
        plain = json.dumps(settings.to_dict(), sort_keys=True)
        made_of = f"{self._export.fingerprint}\n{plain}".encode()
        path = self._folder / f"{hashlib.sha256(made_of).hexdigest()[:16]}.npz"
        if not path.exists():
            self._train(settings.model, plain, path)
        with np.load(path) as file:
            return dict(file)

    def _train(self, model: str, settings: str, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        export = self._folder / f"export-{self._export.fingerprint[:16]}.npz"
        self._export.save(export)
        library = LIBRARIES[model]
        command = [
            str(make_environment(library, self._environments)),
            # a deprecated name in RecBole's trainer, told in every epoch
            "-Wignore::FutureWarning",
            "-m",
            library.module,
            str(export),
            str(path),
            settings,
        ]
        # they leave logs where they work
        with tempfile.TemporaryDirectory() as scratch:
            try:
                subprocess.run(  # noqa: S603 - a fixed command, no shell
                    command,
                    check=True,
                    cwd=scratch,
                    env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
                )
            except subprocess.CalledProcessError as error:
                msg = f"training {settings} failed; what it said stands above"
                raise TrainingError(msg) from error


def summarize(
    export: Export, baseline: BestBaseline, settings: Settings, run: Run
) -> dict[str, Any]:
    """Return a run's result as plain JSON types."""
    return {
        "k": baseline.k,
        "model": settings.model,
        "library": str(run["library"][0]),
        "seed": settings.seed,
        "settings": settings.to_dict(),
        "best_epoch": int(run["best_epoch"][0]),
        "num_epochs": len(run["scores"]),
        "seconds": float(run["seconds"][0]),
        "evaluation": figures(export, "validation", run["validation"], baseline),
        "test_evaluation": figures(export, "test", run["test"], baseline),
    }
