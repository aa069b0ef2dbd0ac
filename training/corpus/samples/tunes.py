"""Folk tunes in ABC notation, read out of the wheel of music21 that holds them.

Michael Scott Cuthbert and Christopher Ariza 2010, music21: A Toolkit for
Computer-Aided Musicology and Symbolic Music Data, ISMIR 2010. The melodies are old; who
typed them in has rights of their own, which the wheel names in ``corpus/license.txt``
and in the folders. The project ships none of it: the wheel is fetched from where its
authors put it, and the tunes are read in place. Nothing in it is installed or run.
"""

import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from nextvec.training.corpus.items.sequences import named_sequences
from nextvec.training.corpus.samples.archives import PinnedArchive
from nextvec.training.corpus.samples.item_sample import FoundItems, ItemSample
from nextvec.training.corpus.tunes.families import families
from nextvec.training.corpus.tunes.items import item_name
from nextvec.training.corpus.tunes.melody import Note
from nextvec.training.corpus.tunes.reading import Tune, tunes_in
from nextvec.training.errors import CorpusError, TuneError
from nextvec.training.vectors import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Tunes of one source, in one folder of the wheel."""

    name: str
    """What people call it."""

    path: str
    """Its folder, or its file, in the wheel."""

    terms: str
    """What the wheel says of how it may be used."""

    def holds(self, name: str) -> bool:
        """Tell whether a file of the wheel is one of its own."""
        is_inside = name == self.path or name.startswith(f"{self.path}/")
        return is_inside and name.endswith(".abc")


@dataclass(frozen=True, kw_only=True)
class Tunes(ItemSample):
    """Tunes in files of ABC notation."""

    collections: tuple[Collection, ...]
    """What is read of the wheel."""

    @property
    def licenses(self) -> dict[str, str]:
        """Terms of each collection."""
        return {part.name: part.terms for part in self.collections}

    def read(self, wheel: zipfile.ZipFile, source: str) -> FoundItems:
        """Read every tune that can be read, and count the others by reason."""
        names: list[str] = []
        titles: list[tuple[str, ...]] = []
        melodies: list[list[Note]] = []
        left_out: Counter[str] = Counter()
        for path in self._files(wheel, source):
            text = wheel.read(path).decode()
            for tune in tunes_in(text):
                try:
                    melodies.append(tune.notes())
                except TuneError as error:
                    left_out[str(error)] += 1
                    continue
                names.append(_name(path, tune))
                titles.append(tune.titles)
        if not melodies:
            msg = f"{source}: expected tunes, found none that can be read"
            raise CorpusError(msg)
        found = named_sequences(
            _unique(names),
            [[item_name(note) for note in melody] for melody in melodies],
            source=self.part,
        )
        pitches = [_pitches(melody) for melody in melodies]
        return FoundItems(
            sequences=replace(found, families=families(titles, pitches)),
            notes={"tunes_left_out": dict(sorted(left_out.items()))},
        )

    def _files(self, wheel: zipfile.ZipFile, source: str) -> list[str]:
        """Paths of the files of all collections, sorted."""
        found: list[str] = []
        for collection in self.collections:
            files = [name for name in wheel.namelist() if collection.holds(name)]
            if not files:
                msg = f"{source}: expected a whole wheel with {collection.path}"
                raise CorpusError(msg)
            found += files
        return sorted(found)


_CORPUS = "music21/corpus"

_BY_PERMISSION = (
    "distributed with music21 by permission of the encoders, whose terms it does not "
    "name (music21/corpus/license.txt in the wheel); use may be restricted, commercial "
    "use above all"
)

_MUSIC21 = PinnedArchive(
    name="music21",
    version="10.5.1",
    file="music21-10.5.1-py3-none-any.whl",
    sha256="dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
    license="each collection has terms of its own",
)
_ONEILLS = Collection(
    name="O'Neill's Music of Ireland (1903), encoded by volunteers",
    path=f"{_CORPUS}/oneills1850",
    terms=_BY_PERMISSION,
)

FIDDLE: Final = Tunes(
    archive=_MUSIC21,
    part="fiddle tunes",
    description="1,900 fiddle tunes of Ireland, note by note, for a first run",
    recipe="fiddle",
    collections=(_ONEILLS,),
)
"""The part of `TUNES` that is old in its notes and small enough for two minutes."""

TUNES: Final = Tunes(
    archive=_MUSIC21,
    part="folk tunes",
    description="12,600 folk tunes of Europe, China and North America, note by note",
    recipe="tunes",
    collections=(
        Collection(
            name="Aird's Airs (1778 to 1801), encoded by Jack Campin 2009",
            path=f"{_CORPUS}/airdsAirs",
            terms=_BY_PERMISSION,
        ),
        Collection(
            name="Essen Folksong Database, in ABC by Seymour Shlien",
            path=f"{_CORPUS}/essenFolksong",
            terms=(
                "legal status unclear; Ewa Dahlig-Turek, who leads the project, "
                "permits non-commercial distribution and use of these files in music21 "
                "(music21/corpus/essenFolksong/license.txt in the wheel)"
            ),
        ),
        Collection(
            name="Northumbrian Minstrelsy (1882), encoded by Jack Campin 2007",
            path=f"{_CORPUS}/miscFolk/northumbrianminstrelsyopus.abc",
            terms=_BY_PERMISSION,
        ),
        _ONEILLS,
        Collection(
            name="Ryan's Mammoth Collection (1883), encoded by volunteers",
            path=f"{_CORPUS}/ryansMammoth",
            terms=_BY_PERMISSION,
        ),
    ),
)
"""The wheel's other files in ABC are left out: pieces for several voices, two tunes of
the Nottingham database, and fife tunes whose own file does not know where they are
from."""


def _name(path: str, tune: Tune) -> str:
    file = PurePosixPath(path).with_suffix("")
    words = (f"{file.parent.name}/{file.name}", tune.number, *tune.titles[:1])
    return " ".join(filter(None, words))


def _unique(names: list[str]) -> list[str]:
    """Number the names that come again: two tunes of a file can have one number."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _pitches(melody: list[Note]) -> Int64:
    return np.array([note.pitch for note in melody if note.pitch is not None])
