"""Options of several commands, in their own words: help must need nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

from nextvec.training.commands.folders import CORPORA

Recipe = Annotated[
    str | None,
    typer.Option(
        help="Name of a shipped recipe, or path of a TOML file (default: that of the "
        "sample; default for documents, items for item sequences)."
    ),
]
CorpusFolder = Annotated[
    Path,
    typer.Argument(
        help=f"Folder of a corpus, or the name of one in {CORPORA}.",
        show_default=False,
    ),
]
CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", help="The same as the argument: either will do."),
]
RunsFolder = Annotated[Path, typer.Option(help="Folder that holds the runs.")]
Out = Annotated[
    Path | None,
    typer.Option(help=f"Folder of the corpus (default: {CORPORA}/<name>)."),
]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the corpus (default: that of the first path)."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Make the corpus again if it is there already.")
]
