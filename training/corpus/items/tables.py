"""Tables of strangers: .jsonl, .csv and .parquet, with the columns that are needed."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import polars as pl

from nextvec.training.errors import CorpusError

TABLE_SUFFIXES = (".jsonl", ".csv", ".parquet")
"""What can be read."""


def read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read some columns of a table, rows in the order of the file.

    Args:
        path: ``.jsonl`` with one object a line, ``.csv`` with a header, commas and
            UTF-8, or ``.parquet``. All columns of a .csv come as text, so that an id
            such as 007 stays as it is.
        columns: their names; others are left alone.

    Raises:
        CorpusError: missing, of another kind, damaged, or without one of the columns.
    """
    if path.suffix not in TABLE_SUFFIXES:
        msg = f"{path}: expected a table as {', '.join(TABLE_SUFFIXES)}"
        raise CorpusError(msg)
    try:
        # an open file, since polars takes some characters of a path for a pattern
        with path.open("rb") as file:
            table = _parse(file, path.suffix)
    except (OSError, pl.exceptions.PolarsError) as error:
        # the rest of its message is advice on parameters of polars
        reason = str(error).splitlines()[0]
        msg = f"{path}: expected a whole {path.suffix} table: {reason}"
        raise CorpusError(msg) from error
    return pick_columns(table, columns, str(path))


def parse_tsv(content: bytes, columns: Sequence[str], source: str) -> pl.DataFrame:
    """Read some columns of a table with tabs between and no quotes, all as text.

    Args:
        content: the table in UTF-8, names of the columns in the first line.
        columns: their names; others are left alone.
        source: what it is called in messages.

    Raises:
        CorpusError: damaged, or without one of the columns.
    """
    try:
        table = pl.read_csv(
            io.BytesIO(content), separator="\t", quote_char=None, infer_schema=False
        )
    except pl.exceptions.PolarsError as error:
        msg = f"{source}: expected a whole table: {str(error).splitlines()[0]}"
        raise CorpusError(msg) from error
    return pick_columns(table, columns, source)


def _parse(file: IO[bytes], suffix: str) -> pl.DataFrame:
    if suffix == ".csv":
        return pl.read_csv(file, infer_schema=False)
    if suffix == ".jsonl":
        return pl.read_ndjson(file, infer_schema_length=None)
    return pl.read_parquet(file)


def pick_columns(
    table: pl.DataFrame, columns: Sequence[str], source: str
) -> pl.DataFrame:
    """Return some columns of a table.

    Raises:
        CorpusError: one is missing; names those that are there.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        msg = (
            f"{source}: expected a column {' and '.join(map(repr, missing))}, "
            f"found {', '.join(table.columns) or 'none'}"
        )
        raise CorpusError(msg)
    return table.select(columns)


def as_text(values: pl.Series, source: str) -> pl.Series:
    """Return a column of ids as text: 7 and "7" are the same.

    Args:
        values: whole numbers or text.
        source: file and column, for messages.

    Raises:
        CorpusError: of another type, or an entry is missing or empty.
    """
    if not (values.dtype.is_integer() or values.dtype == pl.String):
        msg = f"{source}: expected whole numbers or text, got {values.dtype}"
        raise CorpusError(msg)
    text = values.cast(pl.String)
    refuse_missing(text.replace("", None), source)
    return text


def refuse_missing(values: pl.Series, source: str) -> None:
    """Refuse a column with nulls.

    Raises:
        CorpusError: there are some; names how many and the first.
    """
    if values.null_count():
        row = values.is_null().arg_true()[0]
        msg = (
            f"{source}: expected a value in every row, {values.null_count()} of "
            f"{len(values)} are missing, the first in row {row}"
        )
        raise CorpusError(msg)
