"""The small file that each finished run of a study leaves, to be kept with its report.

It holds figures only, no weights, vectors or texts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from training.errors import TrainingError
from training.files import read_json, read_versioned, write_json
from training.models.config import Architecture

FORMAT: Final = 1

RESULTS: Final = "results"
"""Folder of the small files, within that of the study."""

FOREIGN: Final = "sequential"
"""Folder of results of other libraries, within that of the study."""

Result = Mapping[str, Any]
"""What `result_of` returns, as plain JSON types."""

_COPIED: Final = (
    "name",
    "created",
    "protocol",
    "k",
    "selection_pool",
    "repeat_share",
    "split",
    "options",
    "best_epoch",
    "base",
    "history",
    "evaluation",
    "test_evaluation",
    "baseline_estimates",
    "diagnostics",
    "diagnosis",
    "readiness",
    "seconds",
    "versions",
)

_CORPUS: Final = (
    "name",
    "kind",
    "encoder",
    "source",
    "licenses",
    "fingerprint",
    "num_vectors",
    "num_documents",
)


def result_of(card: Mapping[str, Any], *, wall_s: float | None) -> dict[str, Any]:
    """Take out of a run's card what a study needs.

    Args:
        card: of a finished run.
        wall_s: seconds from its start to its card, preparation and evaluation included;
            None if it was finished before.
    """
    return {
        "format": FORMAT,
        "architecture": card["model"]["architecture"],
        "seed": card["options"]["seed"],
        "wall_s": wall_s,
        "corpus": {name: card["corpus"][name] for name in _CORPUS},
        **{name: card[name] for name in _COPIED},
    }


def write_result(folder: Path, result: Result) -> None:
    """Write a result into the folder of a study."""
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULTS / f"{result['name']}.json", dict(result))


def find_result(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the result of a run by its name, None if it is not there.

    A name tells corpus and options (`training.run.run_name`), so what is found under it
    is the result of that very run.

    Raises:
        TrainingError: it is there and cannot be read, or is of another format.
    """
    path = folder / RESULTS / f"{name}.json"
    return _read(path) if path.exists() else None


def read_results(folder: Path, first: Result) -> list[dict[str, Any]]:
    """Read all results of a study that can be compared with one of them.

    Architectures and seeds can be added to a study by running it again.

    Args:
        folder: of the study.
        first: one of its results; those on other ground are left out.

    Returns:
        In the order of `Architecture`, then by seed.

    Raises:
        TrainingError: a file cannot be read.
    """
    found = [_read(path) for path in sorted((folder / RESULTS).glob("*.json"))]
    order = get_args(Architecture)
    return sorted(
        (result for result in found if _ground(result) == _ground(first)),
        key=lambda result: (order.index(result["architecture"]), result["seed"]),
    )


def _ground(result: Result) -> tuple[str, str, int, int]:
    """Return what two results must share to be compared."""
    return (
        result["corpus"]["fingerprint"],
        result["split"]["fingerprint"],
        result["protocol"],
        result["k"],
    )


def read_foreign(folder: Path, first: Result) -> list[dict[str, Any]]:
    """Read the results of models of other libraries on the same windows.

    Args:
        folder: of the study; they lie in its folder `FOREIGN`, where
            `benchmarks.sequential` leaves them.
        first: one of our own results; those on another corpus or split are left out.

    Raises:
        TrainingError: a file cannot be read.
    """
    found = []
    wanted = (first["corpus"]["fingerprint"], first["split"]["fingerprint"])
    for path in sorted((folder / FOREIGN).glob("*.json")):
        try:
            result: dict[str, Any] = read_json(path)
            ground = (result["fingerprint"], result["split"]["fingerprint"])
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path}: no result of another library: {error}"
            raise TrainingError(msg) from error
        if ground == wanted:
            found.append(result)
    return found


def _read(path: Path) -> dict[str, Any]:
    return read_versioned(path, what="result", version=FORMAT, error=TrainingError)


def same_ground(results: Sequence[Result]) -> Result:
    """Return the first of some results that can be compared.

    Raises:
        TrainingError: none, or of different corpora, splits or protocols.
    """
    if not results:
        msg = "no result to report"
        raise TrainingError(msg)
    if len({_ground(result) for result in results}) > 1:
        names = ", ".join(sorted(str(r["name"]) for r in results))
        msg = f"results of different corpora, splits or protocols: {names}"
        raise TrainingError(msg)
    return results[0]
