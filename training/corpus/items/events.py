"""Events in a table, one a row: who, what, when."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from nextvec.training.corpus.items.event_columns import EventColumns
from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.items.tables import as_text, read_table, refuse_missing
from nextvec.training.errors import CorpusError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TimeKind = Literal["numbers", "timestamps"]


def read_events(files: Sequence[Path], columns: EventColumns) -> ItemSequences:
    """Read events from tables and put them in order.

    Args:
        files: tables as `read_table` takes them; a sequence may go on in another.
        columns: what their columns are called, the same in all.

    Raises:
        CorpusError: unreadable, a column or value missing, or of a type that cannot
            be an id or a time.
    """
    tables: list[pl.DataFrame] = []
    kinds: dict[Path, TimeKind] = {}
    for file in files:
        table = read_table(file, columns.names)
        if table.is_empty():
            # nothing tells of what type its times would be
            continue
        events, kinds[file] = check_events(table, columns, source=str(file))
        tables.append(events)
        first, expected = next(iter(kinds.items()))
        if kinds[file] != expected:
            msg = (
                f"{file}: {columns.time}: expected {expected} as in {first}, "
                f"got {kinds[file]}"
            )
            raise CorpusError(msg)
    source = ", ".join(map(str, files))
    # whole numbers in one file and fractions in another become fractions
    found = pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame()
    return order_events(found, source)


def check_events(
    table: pl.DataFrame, columns: EventColumns, *, source: str
) -> tuple[pl.DataFrame, TimeKind]:
    """Return events as ``sequence``, ``item`` and ``time``, and what the time is.

    Args:
        table: holds the three columns.
        columns: what they are called.
        source: name of the file, for messages.

    Raises:
        CorpusError: a value is missing, or of a type that cannot be an id or a time.
    """
    time, kind = _time(table[columns.time], f"{source}: {columns.time}")
    events = pl.DataFrame(
        {
            "sequence": as_text(
                table[columns.sequence], f"{source}: {columns.sequence}"
            ),
            "item": as_text(table[columns.item], f"{source}: {columns.item}"),
            "time": time,
        }
    )
    return events, kind


def order_events(events: pl.DataFrame, source: str) -> ItemSequences:
    """Put events in order of sequence and time; equal times keep their order.

    Args:
        events: text ``sequence`` and ``item``, and ``time``.
        source: what they are called in messages.

    Returns:
        Sequences and items in the order of their ids as text, so that the order of
        the rows in a file changes neither the split nor a vector.

    Raises:
        CorpusError: there are none.
    """
    if events.is_empty():
        msg = f"{source}: expected events, found none"
        raise CorpusError(msg)
    events = events.sort("sequence", "time", maintain_order=True)
    runs = events["sequence"].rle()
    return ItemSequences(
        source=source,
        sequence_ids=runs.struct.field("value").to_list(),
        lengths=runs.struct.field("len").cast(pl.Int64).to_numpy(),
        item_ids=events["item"].unique().sort().to_list(),
        items=(events["item"].rank("dense").cast(pl.Int64) - 1).to_numpy(),
    )


def _time(values: pl.Series, source: str) -> tuple[pl.Series, TimeKind]:
    refuse_missing(values, source)
    if values.dtype.is_integer():
        return values.cast(pl.Int64), "numbers"
    if values.dtype.is_float():
        refuse_missing(values.fill_nan(None), source)
        return values.cast(pl.Float64), "numbers"
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return values.cast(pl.Datetime("us")).to_physical(), "timestamps"
    if values.dtype == pl.String:
        # whole numbers first: nanoseconds do not fit a float
        for number in (pl.Int64, pl.Float64):
            parsed = values.cast(number, strict=False)
            if not parsed.null_count():
                return _time(parsed, source)
        if parsed[0] is not None:
            row = parsed.is_null().arg_true()[0]
            msg = (
                f"{source}: row {row}: expected a number as in row 0, "
                f"got {values[row]!r}"
            )
            raise CorpusError(msg)
        return _timestamps(values, source), "timestamps"
    msg = f"{source}: expected numbers or timestamps, got {values.dtype}"
    raise CorpusError(msg)


def _timestamps(values: pl.Series, source: str) -> pl.Series:
    """Microseconds since 1970 of ISO timestamps; UTC where no zone is named."""
    times = []
    for row, text in enumerate(values):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            msg = (
                f"{source}: row {row}: expected a timestamp in ISO 8601 as in row 0, "
                f"got {text!r}"
                if row
                else f"{source}: row 0: expected a number or a timestamp in ISO 8601, "
                f"got {text!r}"
            )
            raise CorpusError(msg) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        passed = moment - _EPOCH
        seconds = passed.days * 86_400 + passed.seconds
        times.append(seconds * 1_000_000 + passed.microseconds)
    return pl.Series(values.name, times, dtype=pl.Int64)
