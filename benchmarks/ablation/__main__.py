"""The failures of the original project, each made again and mended.

python -m benchmarks.ablation CORPUS
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from benchmarks.ablation.findings import findings
from benchmarks.ablation.report import write_study
from benchmarks.ablation.study import Study, run_study
from benchmarks.ablation.variants import StudyConfig
from nextvec.training.commands.console import console, handle_errors
from nextvec.training.commands.listener import ConsoleListener
from nextvec.training.corpus.store import load_corpus

STUDIES = Path("artifacts/ablation")
"""Folder of the studies, unless an option says another."""

_STYLES = {"reproduced": "red", "partly reproduced": "yellow"}


@handle_errors()
def ablation(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus of documents.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the study (default: artifacts/ablation/CORPUS)."),
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the training windows.")
    ] = 20,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of weights, batches and dropout.")
    ] = 0,
) -> None:
    """Make the failures of the original project again, and measure what mends them.

    Runs that are finished are found again; one that was cut off starts anew.
    """
    loaded = load_corpus(corpus)
    folder = out or STUDIES / loaded.card.name
    config = StudyConfig(epochs=epochs, seed=seed)
    with ConsoleListener() as listener:
        study = run_study(loaded, config, folder, listener)
    show(study)
    for path in write_study(study, folder):
        console.print(f"Written: {path}", markup=False, soft_wrap=True)


def show(study: Study) -> None:
    """Print what was found of each failure."""
    for finding in findings(study):
        style = _STYLES.get(finding.verdict, "green")
        title = f"\n{finding.failure.name}: "
        console.print(Text.assemble((title, "bold"), (finding.verdict, style)))
        for what, text in (
            ("the original project saw", finding.failure.seen),
            ("here", finding.here),
            ("the fix", finding.fix),
        ):
            # as text: the brackets of an interval are no style
            console.print(Text.assemble((f"{what}: ", "bold"), text))


if __name__ == "__main__":
    typer.run(ablation)
