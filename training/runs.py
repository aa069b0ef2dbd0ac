"""Runs side by side, and which of them is the best."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.errors import CheckpointError, TrainingError
from nextvec.training.evaluation.suite import PROTOCOL
from nextvec.training.run_folder import CARD


def finished_runs(
    folder: Path, *, skipped: Callable[[str], None] = lambda _: None
) -> list[tuple[Path, dict[str, Any]]]:
    """Return folder and card of every finished run, by name.

    Args:
        folder: that holds the runs.
        skipped: told why, for each run whose card cannot be read.
    """
    found = []
    for path in sorted(folder.glob(f"*/{CARD}")):
        try:
            found.append((path.parent, read_checkpoint_card(path.parent)))
        except CheckpointError as error:
            skipped(str(error))
    return found


def best_run(
    runs: Sequence[tuple[Path, dict[str, Any]]],
    *,
    corpus: str | None = None,
    prefer: Sequence[str] = (),
) -> tuple[Path, dict[str, Any]]:
    """Choose the run with the highest validation Hit@K.

    Only runs on one corpus, one split and one selection pool can be compared.

    Args:
        runs: folders and cards.
        corpus: name or fingerprint of the corpus; None if all runs share one.
        prefer: names that win where scores are equal.

    Raises:
        TrainingError: no run, or runs that cannot be compared.
    """
    if corpus is not None:
        runs = [
            (folder, card)
            for folder, card in runs
            if corpus in {card["corpus"]["name"], card["corpus"]["fingerprint"]}
        ]
    if not runs:
        where = f" on corpus {corpus!r}" if corpus else ""
        msg = f"no finished run{where}: train one first"
        raise TrainingError(msg)
    if len({comparison_key(card) for _, card in runs}) > 1:
        names = sorted({card["corpus"]["name"] for _, card in runs})
        msg = (
            f"runs on different corpora, splits or pools cannot be compared "
            f"({', '.join(names)}): name one corpus"
        )
        raise TrainingError(msg)
    return max(runs, key=lambda run: (run[1]["best_score"], run[0].name in prefer))


def comparison_key(card: Mapping[str, Any]) -> tuple[str, str, str, int, int]:
    """Return what two runs must share for their scores to be comparable."""
    return (
        card["corpus"]["fingerprint"],
        card["split"]["fingerprint"],
        card["selection_pool"],
        card["options"]["stride"],
        card.get("protocol", PROTOCOL),
    )
