"""The small file that each finished run of a study leaves, to be kept with its report.

It holds figures only, no weights, vectors or texts.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import TrainingError
from nextvec.training.evaluation.suite import PROTOCOL
from nextvec.training.files import read_versioned, write_json
from nextvec.training.models.options import Architecture
from nextvec.training.preparation.cache_key import CACHE_OPTIONS
from nextvec.training.runs import comparison_key

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

_OPTIONAL: Final = ("baseline_bits", "baseline_plain")
# Results from before there were such have none.

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


_REQUIRED: Final = {"architecture", "seed", "wall_s", "corpus", *_COPIED}


def result_of(
    card: Mapping[str, Any],
    *,
    wall_s: float | None,
    sequences: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Take out of a run's card what a study needs.

    Args:
        card: of a finished run.
        wall_s: seconds from its start to its card, preparation and evaluation included;
            None if it was finished before.
        sequences: its hits by sequence, of each part, by which several splits can be
            pooled (`sequence_hits`); None if it has none.
    """
    result = {
        "format": FORMAT,
        "architecture": card["model"]["architecture"],
        "seed": card["options"]["seed"],
        "wall_s": wall_s,
        "corpus": {name: card["corpus"][name] for name in _CORPUS},
        **{name: card[name] for name in _COPIED},
        **{name: card[name] for name in _OPTIONAL if name in card},
    }
    return result if sequences is None else result | {"sequences": dict(sequences)}


def write_result(folder: Path, result: Result) -> None:
    """Write a result into the folder of a study."""
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULTS / f"{result['name']}.json", dict(result), indent=False)


def find_result(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the result of a run by its name, None if it is not there.

    A name tells corpus and options (`nextvec.training.run.run_name`), so what is found
    under it is the result of that very run. One of another version of the protocol is
    none.

    Raises:
        TrainingError: it is there and cannot be read, or is of another format.
    """
    path = folder / RESULTS / f"{name}.json"
    found = _read(path) if path.exists() else None
    return None if found is None or found["protocol"] != PROTOCOL else found


def read_results(folder: Path, first: Result) -> list[dict[str, Any]]:
    """Read all results of a study that can be compared with one of them.

    Architectures and seeds can be added to a study by running it again.

    Args:
        folder: of the study.
        first: one of its results; those that cannot be compared with it are left out.

    Returns:
        In the order of `Architecture`, then by seed.

    Raises:
        TrainingError: a file cannot be read.
    """
    order = get_args(Architecture)
    return sorted(
        (
            result
            for result in _all(folder)
            if comparison_key(result) == comparison_key(first)
        ),
        key=lambda result: (order.index(result["architecture"]), result["seed"]),
    )


def refuse_mixed(
    folder: Path, corpus: Corpus, planned: Mapping[str, TrainingConfig]
) -> None:
    """Refuse runs that cannot be rows of one study, or seeds of what it has already.

    Args:
        folder: of the study.
        corpus: of the runs.
        planned: options of each run, by its name.

    Raises:
        TrainingError: two of them, or of the results there on the same corpus, are of
            one network and differ in more than the seed, or of two networks and differ
            in windows, pools or space; or a file cannot be read.
    """
    told = [
        {"name": name, "architecture": config.architecture, "options": config.to_dict()}
        for name, config in planned.items()
    ]
    there = [
        result
        for result in _all(folder)
        if result["corpus"]["fingerprint"] == corpus.fingerprint
        and result["protocol"] == PROTOCOL
    ]
    _refuse_other_options([*there, *told])


def _refuse_other_options(results: Sequence[Result]) -> None:
    """Refuse results that one table cannot hold."""
    first: dict[str, Result] = {}
    for result in results:
        one = first.setdefault(result["architecture"], result)
        names = (one["options"].keys() | result["options"].keys()) - {"seed"}
        _require_same(one, result, names, "are no seeds of one network")
        # every lift of a table is over the same baselines
        _require_same(
            results[0], result, CACHE_OPTIONS, "have other windows, pools or spaces"
        )


def _require_same(
    one: Result, other: Result, names: Iterable[str], otherwise: str
) -> None:
    was, now = one["options"], other["options"]
    differing = [
        f"{name} is {was.get(name)!r} and {now.get(name)!r}"
        for name in sorted(names)
        if was.get(name) != now.get(name)
    ]
    if differing:
        msg = (
            f"{one['name']} and {other['name']} {otherwise}: {', '.join(differing)}; "
            "give another recipe another --out"
        )
        raise TrainingError(msg)


def _all(folder: Path) -> list[dict[str, Any]]:
    return [_read(path) for path in sorted((folder / RESULTS).glob("*.json"))]


def _read(path: Path) -> dict[str, Any]:
    result = read_versioned(path, what="result", version=FORMAT, error=TrainingError)
    missing = sorted(_REQUIRED - result.keys())
    if missing:
        msg = f"{path}: expected a result of a run, {', '.join(missing)} missing"
        raise TrainingError(msg)
    if result["architecture"] not in get_args(Architecture):
        msg = (
            f"{path}: expected one of {', '.join(get_args(Architecture))}, "
            f"got architecture {result['architecture']!r}"
        )
        raise TrainingError(msg)
    return result


def first_of_comparable(results: Sequence[Result]) -> Result:
    """Return the first of some results that can be compared.

    Raises:
        TrainingError: none, or of different corpora, splits or protocols, or of one
            network with different options.
    """
    if not results:
        msg = "no result to report"
        raise TrainingError(msg)
    if len({comparison_key(result) for result in results}) > 1:
        names = ", ".join(sorted(str(r["name"]) for r in results))
        msg = f"results of different corpora, splits or protocols: {names}"
        raise TrainingError(msg)
    _refuse_other_options(results)
    return results[0]
