"""The small file that each finished run of a study leaves, to be kept with its report.

It holds figures only, no weights, vectors or texts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from training.errors import TrainingError
from training.files import read_versioned, write_json

FORMAT: Final = 1

RESULTS: Final = "results"
"""Folder of the small files, within that of the study."""

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


def read_foreign(folder: Path, fingerprint: str) -> list[dict[str, Any]]:
    """Read the results of models of other libraries on the same corpus.

    They lie beside ours and name their ``library`` (`benchmarks.sequential`).

    Args:
        folder: of the study.
        fingerprint: of the corpus; results on another are left out.
    """
    found = []
    for path in sorted((folder / RESULTS).glob("*.json")):
        result = _read(path)
        if "library" in result and result["fingerprint"] == fingerprint:
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
    grounds = {
        (r["corpus"]["fingerprint"], r["split"]["fingerprint"], r["protocol"], r["k"])
        for r in results
    }
    if len(grounds) > 1:
        names = ", ".join(sorted(str(r["name"]) for r in results))
        msg = f"results of different corpora, splits or protocols: {names}"
        raise TrainingError(msg)
    return results[0]
