"""Many strings in files that are mapped into memory, and found by what they say.

A million names as objects of Python take half a second and 200 MB of every process;
here they take neither, and processes share them. A name is found in a table of rows:
at the place that its CRC-32 gives, or in the next that is not empty behind it.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Final, Self, overload

import numpy as np
from numpy.typing import NDArray

from nextvec.app.bundle.mapped import mapped
from nextvec.training.array_files import save_array
from nextvec.training.errors import BundleError
from nextvec.training.vectors import Int64

_EMPTY: Final = -1
_ROOM: Final = 2
# Places of the table for each name: half of it empty, a search looks at 1.5 of them.


class Strings(Sequence[str]):
    """Strings, one after another as UTF-8."""

    def __init__(self, octets: NDArray[np.uint8], ends: Int64) -> None:
        """Take them as `of` makes them.

        Args:
            octets: of all of them.
            ends: where each ends.
        """
        self._octets, self._ends = octets, ends
        # numbers of Python at once, in half the time
        self._read, self._end = octets.data, ends.data

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Take strings."""
        octets, ends = _joined([one.encode() for one in strings])
        return cls(octets, ends)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Map what `save` wrote.

        Raises:
            BundleError: missing or damaged.
        """
        return cls(*_load(folder, name))

    def save(self, folder: Path, name: str) -> None:
        """Write them into files that begin with ``name`` (`string_files`)."""
        octets_name, ends_name = string_files(name)
        save_array(folder / octets_name, self._octets)
        save_array(folder / ends_name, self._ends)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._end)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return one, or some."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return str(self._octets_of(range(len(self))[place]), "utf-8")

    def _octets_of(self, row: int) -> memoryview:
        return self._read[self._end[row - 1] if row else 0 : self._end[row]]


class Names(Strings):
    """Strings that differ, each found by what it says."""

    def __init__(
        self, octets: NDArray[np.uint8], ends: Int64, table: Int64, order: Int64
    ) -> None:
        """Take them as `of` makes them.

        Args:
            octets: of all of them.
            ends: where each ends.
            table: rows by checksum, -1 where there is none; a power of two of them.
            order: rows in the order of names.
        """
        super().__init__(octets, ends)
        self._table, self._order = table, order
        self._row, self._sorted = table.data, order.data

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Take names that differ."""
        names = list(strings)
        told = [one.encode() for one in names]
        order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        return cls(*_joined(told), _tabled(told), order)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Map what `save` wrote.

        Raises:
            BundleError: missing or damaged.
        """
        octets, ends = _load(folder, name)
        *_, table_name, order_name = name_files(name)
        table = mapped(folder / table_name, "names", np.int64, (_places(len(ends)),))
        order = mapped(folder / order_name, "names", np.int64, (len(ends),))
        # with a place that is empty, a search ends
        is_whole = np.count_nonzero(table != _EMPTY) == len(ends)
        for rows, least in ((table, _EMPTY), (order, 0)):
            highest, lowest = rows.max(initial=least), rows.min(initial=least)
            is_whole = is_whole and highest < max(1, len(ends)) and lowest >= least
        if not is_whole:
            msg = f"{folder / table_name}: damaged: expected rows of {len(ends)} names"
            raise BundleError(msg)
        return cls(octets, ends, table, order)

    def save(self, folder: Path, name: str) -> None:
        """Write them into files that begin with ``name`` (`name_files`)."""
        super().save(folder, name)
        *_, table_name, order_name = name_files(name)
        save_array(folder / table_name, self._table)
        save_array(folder / order_name, self._order)

    def row_of(self, name: str) -> int | None:
        """Return the row of a name, None if it is unknown; a microsecond."""
        told = name.encode()
        last = len(self._row) - 1
        place = zlib.crc32(told) & last
        while (row := self._row[place]) != _EMPTY:
            if self._octets_of(row) == told:
                return row
            place = (place + 1) & last
        return None

    def nearest(self, name: str) -> str | None:
        """Return a name that is there and begins as another one does.

        Args:
            name: of no row.

        Returns:
            Of its neighbors in the order of names that with the longer common
            beginning; None if neither shares a character.
        """
        at = bisect_left(self._sorted, name, key=self.__getitem__)
        near = [self[row] for row in self._sorted[max(0, at - 1) : at + 1]]
        best = max(near, key=lambda one: _shared(one, name), default=None)
        return best if best is not None and _shared(best, name) else None


def string_files(name: str) -> tuple[str, ...]:
    """Return the names of the files that strings are kept in.

    Example:
        >>> string_files("texts")
        ('texts.npy', 'texts_ends.npy')
    """
    return f"{name}.npy", f"{name}_ends.npy"


def name_files(name: str) -> tuple[str, ...]:
    """Return the names of the files that names are kept in."""
    return *string_files(name), f"{name}_table.npy", f"{name}_order.npy"


def _load(folder: Path, name: str) -> tuple[NDArray[np.uint8], Int64]:
    octets_name, ends_name = string_files(name)
    octets = mapped(folder / octets_name, "names", np.uint8, (None,))
    ends = mapped(folder / ends_name, "names", np.int64, (None,))
    last = int(ends[-1]) if len(ends) else 0
    if last != len(octets) or (np.diff(ends, prepend=0) < 0).any():
        msg = f"{folder / ends_name}: damaged: expected ends up to {len(octets)}"
        raise BundleError(msg)
    return octets, ends


def _joined(told: Sequence[bytes]) -> tuple[NDArray[np.uint8], Int64]:
    octets = np.frombuffer(b"".join(told), np.uint8)
    return octets, np.fromiter(accumulate(map(len, told)), np.int64, len(told))


def _tabled(told: Sequence[bytes]) -> Int64:
    """Return the table that `Names.row_of` looks into."""
    places = [_EMPTY] * _places(len(told))
    last = len(places) - 1
    for row, one in enumerate(told):
        place = zlib.crc32(one) & last
        while places[place] != _EMPTY:
            place = (place + 1) & last
        places[place] = row
    return np.array(places, np.int64)


def _places(count: int) -> int:
    """Return the places of a table: a power of two, and one of them empty."""
    return 1 << int(_ROOM * count).bit_length()


def _shared(one: str, other: str) -> int:
    """Count the characters that two names have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
