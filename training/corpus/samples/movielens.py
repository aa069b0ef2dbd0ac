"""MovieLens 100k: ratings of films by people, read out of a wheel that holds it.

F. Maxwell Harper and Joseph A. Konstan 2015, The MovieLens Datasets: History and
Context, https://doi.org/10.1145/2827872. Its terms allow research, ask for that
acknowledgement, and forbid redistribution and commercial use without permission. The
project ships none of it: the wheel is fetched from where its authors put it, and two
tables are read in place. Nothing in it is installed or run.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.corpus.items.events import EventColumns, check_events, order_events
from training.corpus.items.sequences import ItemSequences
from training.corpus.items.tables import as_text, parse_tsv, refuse_missing
from training.corpus.parts import Progress, ignore_progress
from training.corpus.samples.archives import PinnedArchive, fetch_archive
from training.errors import CorpusError

_COLUMNS = EventColumns(
    sequence="user_id:token", item="item_id:token", time="timestamp:float"
)
_TITLE_COLUMNS = ("item_id:token", "movie_title:token_seq", "release_year:token")

_DAMAGED = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSample:
    """A sample of item sequences inside a pinned wheel."""

    archive: PinnedArchive
    """The wheel."""

    events: str
    """Path of the table of events inside it."""

    titles: str
    """Path of the table of items inside it."""

    part: str
    """What the data are called in the card."""

    description: str
    """One line for people."""


MOVIELENS: Final = ItemSample(
    archive=PinnedArchive(
        name="recbole",
        version="1.2.1",
        file="recbole-1.2.1-py3-none-any.whl",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        license=(
            "GroupLens terms: research use, acknowledgement (Harper & Konstan 2015, "
            "https://doi.org/10.1145/2827872), no redistribution and no commercial "
            "use without permission"
        ),
    ),
    events="recbole/dataset_example/ml-100k/ml-100k.inter",
    titles="recbole/dataset_example/ml-100k/ml-100k.item",
    part="MovieLens 100k",
    description="100,000 ratings of films by 943 people",
)
"""Every rating counts as an event, whatever its stars: what was watched is predicted,
not what was liked."""


def read_item_sample(
    sample: ItemSample, downloads: Path, *, progress: Progress = ignore_progress
) -> tuple[ItemSequences, dict[str, str]]:
    """Read the events and titles of a sample, fetching its wheel if it is not there.

    Args:
        sample: which.
        downloads: folder of the archives; made if missing.
        progress: told before and after.

    Returns:
        Sequences by time, and the title of each item by id.

    Raises:
        CorpusError: the wheel cannot be fetched, is not the pinned one, or is damaged.
    """
    stage = f"{sample.archive.name} {sample.archive.version}"
    progress(stage, 0, 1)
    path = fetch_archive(sample.archive, downloads)
    try:
        with zipfile.ZipFile(path) as wheel:
            events = wheel.read(sample.events)
            titles = wheel.read(sample.titles)
    except _DAMAGED as error:
        msg = f"{path}: expected a whole wheel with {sample.events}: {error}"
        raise CorpusError(msg) from error
    progress(stage, 1, 1)
    source = f"{path}: {sample.events}"
    table = parse_tsv(events, _COLUMNS.names, source)
    checked, _ = check_events(table, _COLUMNS, source=source)
    sequences = order_events(checked, sample.part)
    return sequences, _titles(titles, f"{path}: {sample.titles}")


def _titles(content: bytes, source: str) -> dict[str, str]:
    table = parse_tsv(content, _TITLE_COLUMNS, source)
    items, titles, years = table.iter_columns()
    refuse_missing(titles, f"{source}: {titles.name}")
    rows = zip(as_text(items, f"{source}: {items.name}"), titles, years, strict=True)
    # one film has no year
    return {
        item: title if year is None else f"{title} ({year})"
        for item, title, year in rows
    }
