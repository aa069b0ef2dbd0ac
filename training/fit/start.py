"""Weights that a network of documents starts from: those shipped, or of another run.

What a network reads of similarities has no axes: how the passages of one collection lie
to one another is much like how those of another do, and what was learned of many
documents serves few (docs/experiments.md has what it brings).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from nextvec.training.checkpoint import load_checkpoint
from nextvec.training.corpus.unique import row_keys
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.suite import MAX_LEAKED_SHARE
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.trained_keys import read_trained_keys
from nextvec.training.run_folder import WEIGHTS

SHIPPED: Final = Path(__file__).parent / "starts"
"""A file for each architecture; `python -m benchmarks.starts` makes them."""

AUTO, NONE = "auto", "none"

_OWN: Final = "figure_"
# Mean and scale of the figures belong to a corpus, and stay its own.


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a network begins after the closed form has been measured."""

    name: str
    """``shipped``, or the folder of the run."""

    source: str
    """The corpus that it was trained on."""

    sha256: str
    """Of the file of weights."""

    state: Mapping[str, Tensor]
    """All weights but what belongs to a corpus."""

    @classmethod
    def find(cls, prepared: Preparation, model: NextVectorModel) -> Self | None:
        """Return what the options ask for.

        Args:
            prepared: of the run.
            model: untrained.

        Returns:
            None if nothing is asked for, or nothing that is shipped fits: another
            shape, items, or the corpus that it was made from.

        Raises:
            TrainingError: a run that was asked for does not fit, holds nothing that
                was learned, or has met what is to be judged here.
            CheckpointError: there is no such run, or it is damaged.
        """
        asked = prepared.config.start
        if asked == NONE:
            return None
        if asked == AUTO:
            return cls._shipped(prepared, model)
        return cls._of_run(Path(asked), prepared, model)

    @classmethod
    def _shipped(cls, prepared: Preparation, model: NextVectorModel) -> Self | None:
        path = SHIPPED / f"{model.config.architecture}.safetensors"
        if not model.config.weighs_places or not path.exists():
            return None
        with safe_open(path, framework="pt") as file:
            told = file.metadata()
        state = load_file(path)
        is_source = told["fingerprint"] == prepared.corpus.fingerprint
        if is_source or misfit(state, model) is not None:
            return None
        return cls(
            name="shipped", source=told["corpus"], sha256=_sha256(path), state=state
        )

    @classmethod
    def _of_run(
        cls, folder: Path, prepared: Preparation, model: NextVectorModel
    ) -> Self:
        if not model.config.weighs_places:
            msg = (
                f"--start {folder}: expected a network that reads similarities of "
                "documents; others start from nothing: take --start none"
            )
            raise TrainingError(msg)
        found = load_checkpoint(folder)
        if not found.model.is_run:
            msg = f"--start {folder}: its best epoch is 0, so it has learned nothing"
            raise TrainingError(msg)
        state = learned_state(found.model)
        other = misfit(state, model)
        if other is not None:
            msg = (
                f"--start {folder}: expected the same architecture and sizes, "
                f"got another {other}"
            )
            raise TrainingError(msg)
        _require_unmet(folder, prepared)
        return cls(
            name=str(folder),
            source=found.card["corpus"]["name"],
            sha256=_sha256(folder / WEIGHTS),
            state=state,
        )

    def load_into(self, model: NextVectorModel) -> None:
        """Replace all weights but what belongs to the corpus."""
        model.load_state_dict(dict(self.state), strict=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what a card tells of it."""
        return {"name": self.name, "source": self.source, "sha256": self.sha256}


def learned_state(model: NextVectorModel) -> dict[str, Tensor]:
    """Return the weights that another corpus can start from."""
    return {
        name: tensor.detach().cpu().clone()
        for name, tensor in model.state_dict().items()
        if not name.startswith(_OWN)
    }


def misfit(state: Mapping[str, Tensor], model: NextVectorModel) -> str | None:
    """Name a weight that a network lacks, or has in another shape."""
    own = learned_state(model)
    for name in sorted(own.keys() | state.keys()):
        if name not in own or name not in state:
            return name
        if own[name].shape != state[name].shape:
            return name
    return None


def _require_unmet(folder: Path, prepared: Preparation) -> None:
    """Refuse a run that was trained on what is validation or test here."""
    keys, corpus = read_trained_keys(folder), prepared.corpus
    if keys is None:
        msg = (
            f"--start {folder}: expected the folder of a run, which tells what it was "
            "trained on"
        )
        raise TrainingError(msg)
    judged = np.concatenate([prepared.split.validation, prepared.split.test])
    rows = corpus.rows_of(judged)
    share = float(np.isin(row_keys(np.asarray(corpus.vectors[rows])), keys).mean())
    if share > MAX_LEAKED_SHARE:
        msg = (
            f"--start {folder}: it was trained on {share:.0%} of the vectors of "
            f"validation and test here, expected at most {MAX_LEAKED_SHARE:.0%}"
        )
        raise TrainingError(msg)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
