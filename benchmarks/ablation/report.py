"""The report of a study: a self-contained page, and the same as Markdown."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from benchmarks.ablation.comparison import against_best, against_copy
from benchmarks.ablation.curves import draw_curves
from benchmarks.ablation.findings import findings
from benchmarks.ablation.results import Result
from benchmarks.ablation.study import Study
from nextvec.training.evaluation.statistics import Estimate, estimate, points
from nextvec.training.files import write_bytes
from nextvec.training.reporting.formats import environment, interval, percent

PAGE: Final = "ablation.html"
MARKDOWN: Final = "ablation.md"
CURVES: Final = "ablation.svg"
"""The picture that the Markdown shows."""


def write_study(study: Study, folder: Path) -> list[Path]:
    """Write the report of a study into its folder.

    Returns:
        The page, the Markdown and the picture.
    """
    curves = draw_curves(study)
    told = _told(study)
    paths = [folder / name for name in (PAGE, MARKDOWN, CURVES)]
    page = environment("benchmarks.ablation", autoescape=True).get_template(PAGE)
    markdown = environment("benchmarks.ablation", autoescape=False).get_template(
        MARKDOWN
    )
    shown = Markup(curves)  # noqa: S704 - drawn here
    texts = (page.render(told, curves=shown), markdown.render(told), curves)
    for path, text in zip(paths, texts, strict=True):
        write_bytes(path, text.encode())
    return paths


def _told(study: Study) -> dict[str, Any]:
    data = study.data
    prepared = data.prepared
    return {
        "corpus": prepared.corpus,
        "split": prepared.split,
        "suite": prepared.suite,
        "config": data.config,
        "num_train": len(data.train),
        "num_windows": len(data.windows),
        "sizes": {pool: prepared.suite.pool(pool).size for pool in data.pools},
        "findings": findings(study),
        "runs": [_run(study, result) for result in study.results.values()],
        "references": [
            {
                "name": reference.name,
                "hits": {
                    pool: _share(study, reference.hits[pool]) for pool in data.pools
                },
                "cosine": _number(reference.cosine),
                "change_cosine": _number(reference.change_cosine),
            }
            for reference in study.references.values()
        ],
        "best_names": data.best.names,
        "memories": [
            (result.variant.name, result.memory)
            for result in study.results.values()
            if result.memory is not None
        ],
    }


def _run(study: Study, result: Result) -> dict[str, Any]:
    """Tell one line of the table of runs."""
    last, best = result.epochs[-1], result.best_epoch("targets")
    pools = study.data.pools
    return {
        "variant": result.variant,
        "options": _options(result),
        "first": percent(result.epochs[1].hit5["targets"]),
        "best": percent(result.epochs[best].hit5["targets"]),
        "best_epoch": best,
        "hits": {pool: _share(study, result.hits_at(pool, -1)) for pool in pools},
        "above_copy": {
            pool: _points(against_copy(study, result, pool)) for pool in pools
        },
        "lift": {pool: _points(against_best(study, result, pool)) for pool in pools},
        "cosine": _number(last.cosine),
        "change_cosine": _number(last.change_cosine),
        "train_change_cosine": _number(last.train_change_cosine),
        "loss": _number(last.train_loss),
        "alike": [_number(result.epochs[n].change_alike) for n in (0, 1, -1)],
    }


def _options(result: Result) -> str:
    variant = result.variant
    shortcut = ", shortcut" if variant.has_shortcut else ""
    return (
        f"{variant.output}{shortcut}, {variant.terms} on the {variant.loss_on}, memory "
        f"{variant.memory}, {variant.dealt} dealt, lr {variant.lr:g}, contrast "
        f"{variant.contrast:g}, dropout {variant.dropout:g}"
    )


def _share(study: Study, hit_Q: Any) -> str:  # noqa: ANN401 - an array of booleans
    found = estimate(hit_Q.astype(float), study.data.documents)
    return f"{percent(found.value)} {interval(asdict(found))}".strip()


def _points(found: Estimate) -> str:
    return points(found).replace(" points", "", 1)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
