"""GRU4Rec and SASRec of RecBole, trained and judged on an items corpus.

Same sequences, same windows, same full ranking as this project's own models.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.sequential.export import Export, export_corpus
from benchmarks.sequential.runs import Runs, summarize
from benchmarks.sequential.settings import MODELS, WIDTHS, Settings, grid
from training.corpus.split import SplitConfig, split_documents
from training.corpus.store import load_corpus
from training.files import read_json, write_json


def main() -> None:
    """Train what was never trained, and write a result for each model and seed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sequential", description=__doc__
    )
    parser.add_argument("corpus", type=Path, help="folder of an items corpus")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument(
        "--environment",
        type=Path,
        default=Path("artifacts/recbole-venv"),
        help="folder of RecBole's virtual environment, made if it is missing",
    )
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", default="0", help="the first one chooses")
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)))
    parser.add_argument("--examples", choices=("blocks", "positions"), default="blocks")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("artifacts/sequential/runs"),
        help="folder of the export and the training runs, no place to publish",
    )
    told = parser.parse_args()
    corpus = load_corpus(told.corpus)
    split_config = SplitConfig(**(corpus.card.vectors_split or {}))
    split = split_documents(corpus, split_config)
    export = export_corpus(corpus, split)
    runs = Runs(export, told.runs, told.environment)
    about = {
        "corpus": corpus.card.name,
        "fingerprint": corpus.fingerprint,
        "split": {**asdict(split_config), "fingerprint": split.fingerprint(corpus)},
        "export": export.fingerprint,
    }
    widths = [int(width) for width in told.widths.split(",")]
    seeds = [int(seed) for seed in told.seeds.split(",")]
    told.out.mkdir(parents=True, exist_ok=True)
    for model in told.models.split(","):
        tried = grid(model, told.examples, seeds[0], widths)
        for seed in seeds:
            path = told.out / f"{model}-{told.examples}-seed{seed}.json"
            if not is_finished(path, export.fingerprint, tried, seed):
                write_json(path, about | chosen(export, runs, tried, seed))
            print(line(path, read_json(path)))


def chosen(
    export: Export, runs: Runs, tried: list[Settings], seed: int
) -> dict[str, Any]:
    """Return the result of the settings that are best on validation, with a seed."""
    scores = [float(runs.run(settings)["scores"].max()) for settings in tried]
    # of equal ones the first
    settings = replace(tried[scores.index(max(scores))], seed=seed)
    result = summarize(export, settings, runs.run(settings))
    result["tried"] = [
        {"settings": one.to_dict(), "validation_hit_at_10": score}
        for one, score in zip(tried, scores, strict=True)
    ]
    return result


def is_finished(path: Path, export: str, tried: list[Settings], seed: int) -> bool:
    """Return whether a result is there, on these windows and from these settings.

    Args:
        path: of the result.
        export: fingerprint of the sequences and windows.
        tried: the settings among which it should have chosen.
        seed: of its training.
    """
    if not path.exists():
        return False
    found = read_json(path)
    return (
        found["export"] == export
        and found["settings"]["seed"] == seed
        and [one.get("settings") for one in found["tried"]]
        == [settings.to_dict() for settings in tried]
    )


def line(path: Path, result: dict[str, Any]) -> str:
    """Return a result in one line."""
    parts = []
    for part in ("validation", "test"):
        found = result[part]
        hits = " ".join(
            f"Hit@{k} {100 * hit['value']:.2f} [{100 * hit['low']:.2f}, "
            f"{100 * hit['high']:.2f}]"
            for k, hit in found["hit_at"].items()
        )
        parts.append(
            f"{part}: N = {found['num_candidates']}, Q = {found['num_windows']}, "
            f"{found['num_unseen']} unseen, {hits}, MRR@10 {found['mrr_at_10']:.4f}"
        )
    course = f"epoch {result['best_epoch']}, {result['seconds']:.0f} s"
    return "\n  ".join([f"{path.stem}: {course}", *parts])


if __name__ == "__main__":
    main()
