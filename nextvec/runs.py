"""Training and judging, from a program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.listener import Listener
from nextvec.training.recipe_run import train_by_recipe
from nextvec.training.rejudge import judge_checkpoint
from nextvec.training.reporting.plain_words import in_plain_words
from nextvec.training.run_folder import REPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run."""

    folder: Path
    """Where it lies."""

    card: dict[str, Any]
    """Everything that is known about it; `docs/evaluation.md` has the fields."""

    @property
    def report(self) -> Path:
        """The results analysis, one file of HTML."""
        return self.folder / REPORT

    @property
    def is_better_than_base(self) -> bool:
        """Whether validation kept the network, and not the closed form beneath it."""
        return int(self.card["best_epoch"]) > 0

    @property
    def verdict(self) -> str:
        """``GO`` or ``NO-GO``."""
        return str(self.card["readiness"]["verdict"])

    def __str__(self) -> str:
        """Say in plain words what it holds, and how good that is."""
        return "\n".join(in_plain_words(self.card))


def train(
    corpus: str | Path,
    *,
    recipe: str | None = None,
    runs: str | Path = "artifacts/runs",
    name: str | None = None,
    listener: Listener | None = None,
    **options: Any,  # noqa: ANN401 - each checked by its field
) -> Run:
    """Train until validation Hit@K stops rising, or find the run finished.

    Args:
        corpus: folder of a corpus.
        recipe: name of a shipped recipe, or path of a TOML file; None takes that of
            the corpus or of its kind.
        runs: folder of the runs.
        name: of the run; None takes that of corpus, architecture and options.
        listener: hears how it gets on.
        options: as ``nextvec train`` takes them, with underscores; `docs/training.md`
            lists them.

    Raises:
        NextvecError: an unknown option or value, no usable corpus, or training failed.
    """
    card = train_by_recipe(
        Path(corpus), recipe, options, runs=Path(runs), name=name, listener=listener
    )
    return Run(folder=Path(runs) / str(card["name"]), card=card)


def open_run(folder: str | Path) -> Run:
    """Open a finished run.

    Raises:
        NextvecError: none is there, or its card cannot be read.
    """
    return Run(folder=Path(folder), card=read_checkpoint_card(Path(folder)))


def evaluate(folder: str | Path, corpus: str | Path | None = None) -> dict[str, Any]:
    """Judge a run or a bundle on the validation documents of a corpus.

    Args:
        folder: of the run or the bundle.
        corpus: folder of the corpus; None takes the one that the card names.

    Returns:
        Plain types: ``pools`` with N, Hit@K, best baseline, lift and intervals, as
        ``evaluation`` of a card has them.

    Raises:
        NextvecError: it cannot be used, or not on that corpus.
    """
    judged = judge_checkpoint(Path(folder), None if corpus is None else Path(corpus))
    # as a card has it: an interval without end is null
    plain: dict[str, Any] = orjson.loads(orjson.dumps(judged.evaluation.to_dict()))
    return plain
