"""Tunes in a file of ABC notation: where each begins, and what its header says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nextvec.training.corpus.tunes.melody import MelodyReader, Note
from nextvec.training.errors import TuneError

_FIELD = re.compile(r"(?P<letter>[A-Za-z]):(?P<value>.*)")
_FIELD_AMONG_NOTES = re.compile(r"(?P<letter>[IKLMNPQRTVWmrsw]):(?![|:])(?P<value>.*)")
# A line such as G:| is notes.

_COMMENT = re.compile(r"(?<!\\)%.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """A tune as it is written."""

    number: str
    """Its number in the file."""

    titles: tuple[str, ...]
    """Its titles, the first one first."""

    lines: tuple[str, ...]
    """Its lines from the number on, without comments."""

    def notes(self) -> list[Note]:
        """Read its notes.

        Raises:
            TuneError: it cannot be read; says why in a word or two.
        """
        reader = MelodyReader()
        is_header = True
        for line in self.lines:
            match = (_FIELD if is_header else _FIELD_AMONG_NOTES).match(line)
            if match is not None:
                reader.read_field(match["letter"], match["value"])
                is_header = is_header and match["letter"] != "K"
            elif not is_header:
                reader.read_line(line)
        notes = reader.notes()
        if all(note.pitch is None for note in notes):
            reason = "no notes"
            raise TuneError(reason)
        return notes


def tunes_in(text: str) -> Iterator[Tune]:
    """Find the tunes of a file: each goes from ``X:`` to the next empty line.

    A line with nothing but a comment is not empty.
    """
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        bare = _COMMENT.sub("", line).strip()
        begins, ends = bare.startswith("X:"), not line.strip()
        if lines and (begins or ends):
            yield _tune(lines)
            lines = []
        if begins or (lines and bare):
            lines.append(bare)


def _tune(lines: list[str]) -> Tune:
    titles = [line[2:].strip() for line in lines if line.startswith("T:")]
    return Tune(
        number=lines[0][2:].strip(),
        titles=tuple(filter(None, titles)),
        lines=tuple(lines),
    )
