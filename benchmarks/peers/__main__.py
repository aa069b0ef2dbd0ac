"""GRU4Rec, SASRec and HSTU of other libraries, trained and judged on an items corpus.

Same sequences, same windows, same full ranking as this project's own models.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.peers.baseline import BestBaseline, read_best_baseline
from benchmarks.peers.export import Export, export_corpus
from benchmarks.peers.runs import Runs, summarize
from benchmarks.peers.settings import (
    MODELS,
    WIDTHS,
    Examples,
    Settings,
    grid,
)
from nextvec.training.commands.console import handle_errors
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.store import load_corpus
from nextvec.training.errors import ProjectError
from nextvec.training.evaluation.statistics import Estimate, points
from nextvec.training.files import read_json, write_json


@handle_errors()
def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of an items corpus.")],
    *,
    run: Annotated[
        Path,
        typer.Option(
            help="Folder of a finished `nextvec train` on it, over whose best baseline "
            "every lift is."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"Named several times (default: {' and '.join(MODELS)})."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Named several times; the first one chooses (default: 0)."
        ),
    ] = None,
    width: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Of item vectors and states; those named are tried (default: "
            f"{' and '.join(map(str, WIDTHS))}).",
        ),
    ] = None,
    examples: Annotated[
        Examples, typer.Option(help="What one example of training is.")
    ] = "blocks",
    environments: Annotated[
        Path,
        typer.Option(
            help="Folder of the libraries' virtual environments, made if missing."
        ),
    ] = Path("artifacts"),
    runs: Annotated[
        Path,
        typer.Option(help="Folder of export and training runs, no place to publish."),
    ] = Path("artifacts/sequential/runs"),
) -> None:
    """Train what was never trained, and write a result for each model and seed."""
    models, seeds, widths = model or MODELS, seed or [0], width or WIDTHS
    for name in models:
        if name not in MODELS:
            msg = f"expected model {' or '.join(MODELS)}, got {name!r}"
            raise ProjectError(msg)
    grids = {name: grid(name, examples, seeds[0], widths) for name in models}
    loaded = load_corpus(corpus)
    split_config = SplitConfig(**(loaded.card.vectors_split or {}))
    split = split_documents(loaded, split_config)
    export = export_corpus(loaded, split)
    baseline = read_best_baseline(run, loaded, split, export)
    trained = Runs(export, runs, environments)
    about = {
        "corpus": loaded.card.name,
        "fingerprint": loaded.fingerprint,
        "split": {**asdict(split_config), "fingerprint": split.fingerprint(loaded)},
        "export": export.fingerprint,
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, tried in grids.items():
        for number in seeds:
            path = out / f"{name}-{examples}-seed{number}.json"
            if not is_finished(path, export.fingerprint, baseline, tried, number):
                result = chosen(export, baseline, trained, tried, number)
                write_json(path, about | result, indent=False)
            print(line(path, read_json(path)))


def chosen(
    export: Export,
    baseline: BestBaseline,
    runs: Runs,
    tried: list[Settings],
    seed: int,
) -> dict[str, Any]:
    """Return the result of the settings that are best on validation, with a seed."""
    scores = [float(runs.run(settings)["scores"].max()) for settings in tried]
    # of equal ones the first
    settings = replace(tried[scores.index(max(scores))], seed=seed)
    result = summarize(export, baseline, settings, runs.run(settings))
    result["tried"] = [
        {"settings": one.to_dict(), "validation_hit_at_10": score}
        for one, score in zip(tried, scores, strict=True)
    ]
    return result


def is_finished(
    path: Path, export: str, baseline: BestBaseline, tried: list[Settings], seed: int
) -> bool:
    """Return whether a result is there, on these windows and from these settings.

    Args:
        path: of the result.
        export: fingerprint of the sequences and windows.
        baseline: what its lift should be over.
        tried: the settings among which it should have chosen.
        seed: of its training.
    """
    if not path.exists():
        return False
    found = read_json(path)
    return (
        found["export"] == export
        and found.get("seed") == seed
        and found["evaluation"]["pools"][0]["baseline"] == baseline.name
        and found["evaluation"]["pools"][0]["baseline_hit_at"]
        == baseline.hit_at("validation")
        and [one.get("settings") for one in found["tried"]]
        == [settings.to_dict() for settings in tried]
    )


def line(path: Path, result: dict[str, Any]) -> str:
    """Return a result in one line."""
    parts = []
    for part in ("evaluation", "test_evaluation"):
        found = result[part]["pools"][0]
        hits = " ".join(
            f"Hit@{k} {100 * hit['value']:.2f} [{100 * hit['low']:.2f}, "
            f"{100 * hit['high']:.2f}]"
            for k, hit in found["hit_at"].items()
        )
        parts.append(
            f"{part}: N = {found['num_candidates']}, Q = {found['num_windows']}, "
            f"{result[part]['num_unseen']} unseen, {hits}, "
            f"MRR@10 {found['mrr_at_10']:.4f}, lift over {found['baseline']} "
            f"{points(Estimate.from_plain(found['lift']))}"
        )
    course = f"epoch {result['best_epoch']}, {result['seconds']:.0f} s"
    return "\n  ".join([f"{path.stem}: {course}", *parts])


if __name__ == "__main__":
    typer.run(main)
