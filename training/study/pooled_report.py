"""The report of a study over several splits: a page, and the same as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nextvec.training.files import write_bytes
from nextvec.training.reporting.formats import environment
from nextvec.training.study.pooling import MIN_SPLITS, pooled
from nextvec.training.study.report import MARKDOWN, PAGE
from nextvec.training.study.results import Result
from nextvec.training.study.summary import MIN_SEEDS, PARTS, Row, rows_of, verdicts


def split_folder(folder: Path, seed: int) -> Path:
    """Return the folder of one split within that of a study."""
    return folder / f"split-{seed}"


def write_pooled(
    folder: Path, splits: Mapping[int, Sequence[Result]], *, commands: Sequence[str]
) -> list[Row]:
    """Write `PAGE` and `MARKDOWN` about the windows of all splits.

    Args:
        folder: of the study, which exists.
        splits: results by the seed of their split, each of one corpus and split.
        commands: that make all this, for the reader.

    Returns:
        What it shows: a row for each network.

    Raises:
        TrainingError: a result does not tell its hits by sequence.
    """
    rows = rows_of(pooled(splits))
    told = {
        "name": next(iter(splits.values()))[0]["corpus"]["name"],
        "k": next(iter(splits.values()))[0]["k"],
        "rows": rows,
        "parts": {
            name: (part, verdicts(rows, part) if rows else [])
            for part, name in PARTS.items()
        },
        "splits": {seed: results[0] for seed, results in splits.items()},
        "of_splits": {seed: rows_of(results) for seed, results in splits.items()},
        "min_splits": MIN_SPLITS,
        "min_seeds": MIN_SEEDS,
        "commands": commands,
    }
    for name, escapes, template in (
        (PAGE, True, "pooled.html"),
        (MARKDOWN, False, "pooled.md"),
    ):
        found = environment("nextvec.training.study", autoescape=escapes)
        text = found.get_template(template).render(told)
        write_bytes(folder / name, text.encode())
    return rows
