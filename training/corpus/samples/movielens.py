"""MovieLens 100k: ratings of films by people, read out of a wheel that holds it.

F. Maxwell Harper and Joseph A. Konstan 2015, The MovieLens Datasets: History and
Context, https://doi.org/10.1145/2827872. Its terms allow research, ask for that
acknowledgement, and forbid redistribution and commercial use without permission. The
project ships none of it: the wheel is fetched from where its authors put it, and two
tables are read in place. Nothing in it is installed or run.
"""

import zipfile
from dataclasses import dataclass
from typing import Final

from nextvec.training.corpus.items.event_columns import EventColumns
from nextvec.training.corpus.items.events import check_events, order_events
from nextvec.training.corpus.items.tables import as_text, parse_tsv, refuse_missing
from nextvec.training.corpus.samples.archives import PinnedArchive
from nextvec.training.corpus.samples.item_sample import FoundItems, ItemSample

_COLUMNS = EventColumns(
    sequence="user_id:token", item="item_id:token", time="timestamp:float"
)
_TITLE_COLUMNS = ("item_id:token", "movie_title:token_seq", "release_year:token")


@dataclass(frozen=True, kw_only=True)
class MovieLens(ItemSample):
    """Ratings in a table of events, and one of titles."""

    events: str
    """Path of the table of events inside the wheel."""

    titles: str
    """Path of the table of items inside it."""

    def read(self, wheel: zipfile.ZipFile, source: str) -> FoundItems:
        """Read the events, and the title of each item."""
        events, titles = wheel.read(self.events), wheel.read(self.titles)
        where = f"{source}: {self.events}"
        table = parse_tsv(events, _COLUMNS.names, where)
        checked, _ = check_events(table, _COLUMNS, source=where)
        sequences = order_events(checked, self.part)
        texts = _titles(titles, f"{source}: {self.titles}")
        return FoundItems(sequences=sequences, texts=texts)


MOVIELENS: Final = MovieLens(
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
