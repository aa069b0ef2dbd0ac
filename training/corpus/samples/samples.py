"""Real data for a first run: documentation, ratings of films, folk tunes.

What is read is fixed by version and SHA-256, so everybody gets the same passages.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nextvec.training.corpus.corpus import CorpusCard
from nextvec.training.corpus.items.vectors import COOCCURRENCE
from nextvec.training.corpus.origin import Origin
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.samples.archive_table import read_archive_table
from nextvec.training.corpus.samples.archives import (
    SourceArchive,
    fetch_archive,
    read_pages,
)
from nextvec.training.corpus.samples.item_sample import ItemSample
from nextvec.training.corpus.samples.movielens import MOVIELENS
from nextvec.training.corpus.samples.tunes import FIDDLE, TUNES
from nextvec.training.corpus.text.text import Document
from nextvec.training.errors import CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample corpus of text."""

    archives: tuple[SourceArchive, ...]
    """Where its pages come from."""

    description: str
    """One line for people."""

    table: str | None = None
    """Data file of further archives, which `get_sample` reads; None: no more."""


_CELERY = SourceArchive(
    name="celery",
    version="5.7.0",
    file="celery-5.7.0.tar.gz",
    sha256="6a5dfcf6662287204f009a02002b9e66c83d4105e47ebabdc7079108772fc6f0",
    folder="docs",
    license="CC-BY-SA-4.0",
)
_DJANGO = SourceArchive(
    name="Django",
    version="5.2.19",
    file="django-5.2.19.tar.gz",
    sha256="ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1",
    folder="docs",
    license="BSD-3-Clause",
)
_PYRAMID = SourceArchive(
    name="pyramid",
    version="2.1",
    file="pyramid-2.1.tar.gz",
    sha256="5a24bc1b5f9e0f0d1c0b6ddd1111e84c15dac44a07e3c1d24e74dd9bb4fc22eb",
    folder="docs",
    license="CC-BY-NC-SA-3.0-US",
)
_SQLALCHEMY = SourceArchive(
    name="SQLAlchemy",
    version="2.1.9",
    file="sqlalchemy-2.1.9.tar.gz",
    sha256="d700a8b2edfb26282a470333d6bc4a454c4acda4d201a3bea7b72fa76c217d28",
    folder="doc/build",
    license="MIT",
)

SAMPLES: Final[dict[str, Sample | ItemSample]] = {
    "docs": Sample(
        archives=(_DJANGO, _SQLALCHEMY, _CELERY, _PYRAMID),
        description="documentation of Django, SQLAlchemy, Celery and Pyramid",
    ),
    "docs-large": Sample(
        archives=(_DJANGO, _SQLALCHEMY, _CELERY, _PYRAMID),
        description="documentation of 98 packages, to tell two points apart",
        table="docs_large.toml",
    ),
    "fiddle": FIDDLE,
    "movielens": MOVIELENS,
    "smoke": Sample(
        archives=(_CELERY,),
        description="documentation of Celery, for quick checks",
    ),
    "tunes": TUNES,
}
"""The sample corpora by name."""


def get_sample(name: str) -> Sample | ItemSample:
    """Return a sample by name, with all its archives.

    Raises:
        CorpusError: no such sample; names those there are.
    """
    if name not in SAMPLES:
        msg = f"no sample named {name!r}; there are: {', '.join(sorted(SAMPLES))}"
        raise CorpusError(msg)
    sample = SAMPLES[name]
    if isinstance(sample, ItemSample) or sample.table is None:
        return sample
    more = read_archive_table(sample.table)
    return replace(sample, archives=sample.archives + more, table=None)


def read_sample(
    sample: Sample, downloads: Path, *, progress: Progress = ignore_progress
) -> list[Document]:
    """Read the pages of a sample, fetching the archives that are not there yet.

    Args:
        sample: which.
        downloads: folder of the archives; made if missing.
        progress: told before and after each archive.

    Raises:
        CorpusError: an archive cannot be fetched, is not the pinned one, or is damaged.
    """
    documents: list[Document] = []
    for archive in sample.archives:
        stage = f"{archive.name} {archive.version}"
        progress(stage, 0, 1)
        documents += read_pages(archive, fetch_archive(archive, downloads))
        progress(stage, 1, 1)
    return documents


def sample_origin(sample: Sample | ItemSample, options: dict[str, object]) -> Origin:
    """Tell what a sample is made of: pinned archives, and what is read of them.

    Args:
        sample: with all its archives, as `get_sample` returns it.
        options: what else the corpus depends on.
    """
    # its words for people make no difference
    read = repr(replace(sample, description=""))
    checksum = hashlib.sha256(read.encode()).hexdigest()
    return Origin(kind="sample", checksum=checksum, options=options)


def sample_card(name: str, sample: Sample, encoder: str, origin: Origin) -> CorpusCard:
    """Describe a sample: its packages, their versions and licences."""
    packages = [f"{a.name} {a.version}" for a in sample.archives]
    return CorpusCard(
        name=name,
        encoder=encoder,
        source=f"documentation pages in the sources of {', '.join(packages)}",
        licenses={f"{a.name} {a.version}": a.license for a in sample.archives},
        origin=origin.to_dict(),
    )


def item_sample_card(name: str, sample: ItemSample, origin: Origin) -> CorpusCard:
    """Describe a sample of item sequences: where it comes from, and its terms."""
    archive = sample.archive
    return CorpusCard(
        name=name,
        encoder=COOCCURRENCE,
        source=f"{sample.part} in the wheel of {archive.name} {archive.version}",
        licenses=sample.licenses,
        origin=origin.to_dict(),
        recipe=sample.recipe,
    )
