"""Results of models of other libraries, judged elsewhere on the same windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nextvec.training.errors import TrainingError
from nextvec.training.files import read_json
from nextvec.training.study.results import Result
from nextvec.training.study.summary import PARTS, Row, rows_of

FOREIGN: Final = "sequential"
"""Folder of such results, within that of the study."""

_FIELDS: Final = {"model", "library", "k", "seed", "settings", "fingerprint", "split"}

_POOL_FIELDS: Final = {
    "num_candidates",
    "num_windows",
    "hit_at",
    "mrr_at_10",
    "hit_context_included",
    "baseline",
    "baseline_hit_at",
    "lift",
}


def read_foreign(folder: Path, first: Result) -> list[dict[str, Any]]:
    """Read the results of models of other libraries on the same windows.

    Args:
        folder: of the study; they lie in its folder `FOREIGN`, where
            `benchmarks.peers` leaves them.
        first: one of our own results; those on another corpus or split, or on other
            windows of it, are left out.

    Raises:
        TrainingError: a file cannot be read, its lift is over another baseline than
            that of ``first``, or one model comes with different settings or with one
            seed twice.
    """
    found: list[dict[str, Any]] = []
    for path in sorted((folder / FOREIGN).glob("*.json")):
        result = _read(path)
        here = (first["corpus"]["fingerprint"], first["split"]["fingerprint"])
        if (result["fingerprint"], result["split"]["fingerprint"]) != here or _of_parts(
            result, "num_windows"
        ) != _of_parts(first, "num_windows"):
            continue
        _require_baseline(path, result, first)
        found.append(result)
    _refuse_mixed(found)
    return found


def foreign_rows(results: Sequence[Result]) -> list[Row]:
    """Group results by model, as `read_foreign` returns them."""
    return rows_of([{**r, "architecture": _title(r)} for r in results])


def _read(path: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = read_json(path)
        missing = _FIELDS - result.keys()
        for part in PARTS:
            missing |= _POOL_FIELDS - result[part]["pools"][0].keys()
        missing |= {"fingerprint"} - result["split"].keys() if not missing else set()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        msg = f"{path}: no result of another library: {error}"
        raise TrainingError(msg) from error
    if missing:
        names = ", ".join(sorted(missing))
        msg = f"{path}: no result of another library: {names} missing"
        raise TrainingError(msg)
    return result


def _require_baseline(path: Path, result: Result, first: Result) -> None:
    """Refuse a lift that is not over the same ranks: its name alone is no proof."""
    for name in ("baseline", "baseline_hit_at"):
        wanted, got = _of_parts(first, name), _of_parts(result, name)
        if got != wanted:
            msg = (
                f"{path}: expected its lift over {name} {wanted[0]}, got {got[0]}: "
                "make it again with --run of a run of this study"
            )
            raise TrainingError(msg)
    if result["k"] != first["k"]:
        msg = f"{path}: expected its lift in Hit@{first['k']}, got Hit@{result['k']}"
        raise TrainingError(msg)


def _refuse_mixed(results: Sequence[Result]) -> None:
    """Refuse results of one model that are not its seeds, each once."""
    settings: dict[str, dict[str, Any]] = {}
    seeds: set[tuple[str, int]] = set()
    for result in results:
        name = _title(result)
        found = dict(result["settings"]) | {"seed": None}
        if settings.setdefault(name, found) != found:
            msg = (
                f"{name}: results with other settings are no seeds of one model; take "
                "those away that are not meant"
            )
            raise TrainingError(msg)
        if (name, result["seed"]) in seeds:
            msg = f"{name}: two results with seed {result['seed']}; take one away"
            raise TrainingError(msg)
        seeds.add((name, result["seed"]))


def _title(result: Result) -> str:
    return f"{result['model']} ({result['library']})"


def _of_parts(result: Result, name: str) -> list[Any]:
    """Return a figure of the first pool on validation and on test."""
    return [result[part]["pools"][0][name] for part in PARTS]
