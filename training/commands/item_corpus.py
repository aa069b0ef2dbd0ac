"""``corpus items``: make a corpus from item sequences."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from nextvec.training.checked import faults
from nextvec.training.commands.console import handle_errors
from nextvec.training.commands.folders import CORPORA
from nextvec.training.commands.options import Force, Name, Out
from nextvec.training.corpus.items.cooccurrence_config import CooccurrenceConfig
from nextvec.training.corpus.items.event_columns import EventColumns
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.errors import CorpusError

_COLUMNS = EventColumns()
_COOCCURRENCE = CooccurrenceConfig()
_SPLIT = SplitConfig()


@handle_errors()
def items(
    files: Annotated[
        list[Path],
        typer.Argument(help=".jsonl, .csv or .parquet tables, one event a row."),
    ],
    *,
    name: Name = None,
    out: Out = None,
    sequence_column: Annotated[
        str, typer.Option(help="Column that says whose event it is.")
    ] = _COLUMNS.sequence,
    item_column: Annotated[
        str, typer.Option(help="Column that says which item.")
    ] = _COLUMNS.item,
    time_column: Annotated[
        str, typer.Option(help="Column that says when: numbers, or ISO timestamps.")
    ] = _COLUMNS.time,
    texts: Annotated[
        Path | None,
        typer.Option(help="Table with columns item and text, such as titles."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            help=".npz with ids and vectors of all items (default: made from "
            "co-occurrence in the training sequences)."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Name of what made --vectors, for the card."),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Entries before and after an item that count as near "
            f"(default: {_COOCCURRENCE.window}).",
        ),
    ] = None,
    dim: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Numbers in a vector that is made (default: {_COOCCURRENCE.dim}, or "
            "half as many as there are items).",
        ),
    ] = None,
    split_seed: Annotated[
        int, typer.Option(min=0, help="Seed of the split, the one to train with.")
    ] = _SPLIT.seed,
    validation_share: Annotated[
        float, typer.Option(help="Share of the sequences for validation.")
    ] = _SPLIT.validation,
    test_share: Annotated[
        float, typer.Option(help="Share of the sequences for test.")
    ] = _SPLIT.test,
    force: Force = False,
) -> None:
    """Make a corpus from item sequences: sessions, ratings, purchases by time."""
    from nextvec.training.commands.corpus_folder import make_once
    from nextvec.training.corpus.items.making import item_origin, make_item_corpus

    _refuse_contradictions(vectors, encoder, window, dim)
    columns = EventColumns(sequence=sequence_column, item=item_column, time=time_column)
    split = _split(split_seed, validation_share, test_share)
    name = name or files[0].resolve().stem
    out = out or CORPORA / name
    source: dict[str, Any] = {
        "columns": columns,
        "split": split,
        "cooccurrence": CooccurrenceConfig(
            window=window or _COOCCURRENCE.window,
            dim=dim or _COOCCURRENCE.dim,
            is_at_most=dim is None,
        ),
        "vectors": vectors,
        "encoder": encoder or "unknown",
        "texts": texts,
    }
    make_once(
        out,
        partial(item_origin, files, **source),
        partial(make_item_corpus, files, out, name=name, **source),
        force=force,
    )


def _refuse_contradictions(
    vectors: Path | None, encoder: str | None, window: int | None, dim: int | None
) -> None:
    if vectors is not None and (window is not None or dim is not None):
        msg = "expected --vectors, or --window and --dim to make them, got both"
        raise CorpusError(msg)
    if vectors is None and encoder is not None:
        msg = f"expected --vectors beside --encoder {encoder}: its name is for the card"
        raise CorpusError(msg)


def _split(seed: int, validation: float, test: float) -> SplitConfig:
    try:
        return SplitConfig(seed=seed, validation=validation, test=test)
    except ValidationError as error:
        raise CorpusError(faults(error)) from error
