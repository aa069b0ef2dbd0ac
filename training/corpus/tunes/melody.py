"""The notes of a tune in ABC notation, as they are written.

The standard is https://abcnotation.com/wiki/abc:standard:v2.1. Repeats are not played
twice: a sign that says so is no prediction. Of a chord the highest note is the melody;
grace notes, ornaments, words and chord symbols are left out.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from nextvec.training.corpus.tunes.keys import ALTERATIONS, SEMITONES, Key, read_key
from nextvec.training.corpus.tunes.tokens import (
    TOKEN,
    is_tied_chord,
    notes_in,
    read_fraction,
    read_length,
)
from nextvec.training.errors import TuneError

MIDDLE_OCTAVE: Final = 4
"""Octave of C as scientific pitch notation counts it; c is an octave above."""

_TUPLET_TIMES = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# Notes of which p last as long as q; of the others q is 2, in compound meters 3.

_METERS = {"C": "4/4", "C|": "2/2"}


@dataclass(frozen=True, slots=True)
class Note:
    """A note, or a rest."""

    pitch: int | None
    """Semitones above C of octave 0, written where the tune is; None for a rest."""

    tonic: int
    """Semitones from C up to the keynote there, 0 to 11."""

    length: Fraction
    """Share of a whole note, above 0."""


@dataclass(slots=True)
class _Written:
    """A note before ties join it to the next."""

    pitch: int | None
    name: str
    tonic: int
    length: Fraction
    is_tied: bool = False


@dataclass(slots=True, kw_only=True)
class MelodyReader:
    """Reads the lines of one tune in order and keeps what holds until told otherwise.

    The fields of the header come first; without any, C major in eighths.
    """

    _key: Key = field(default_factory=lambda: read_key("C"))
    _meter: Fraction = Fraction(1)
    _is_compound: bool = False
    _unit: Fraction | None = None
    _written: list[_Written] = field(default_factory=list)
    _in_bar: dict[str, int] = field(default_factory=dict)
    _tuplet: tuple[int, Fraction] = (0, Fraction(1))
    _next_scale: Fraction = Fraction(1)

    def read_field(self, letter: str, value: str) -> None:
        """Read a field of the header, or one inside the tune.

        Key, meter and unit of length count, and a voice is refused; all others are
        passed over.

        Raises:
            TuneError: a key or length that cannot be read, or a voice.
        """
        if letter == "K":
            self._key = read_key(value)
        elif letter == "M":
            self._read_meter(value)
        elif letter == "L":
            self._unit = Fraction(*read_fraction(value))
            if not self._unit:
                reason = "unknown unit of length"
                raise TuneError(reason)
        elif letter == "V":
            reason = "several voices"
            raise TuneError(reason)

    def _read_meter(self, value: str) -> None:
        beats, beat = read_fraction(_METERS.get(value.strip(), value))
        # "none" and words: as if it were common time
        self._meter = Fraction(beats, beat) or Fraction(1)
        self._is_compound = beats > 3 and beats % 3 == 0

    def read_line(self, line: str) -> None:
        """Read a line of notes.

        Raises:
            TuneError: something in it that cannot be read.
        """
        position = 0
        while position < len(line):
            match = TOKEN.match(line, position)
            if match is None:
                reason = "several voices" if line[position] == "&" else "unreadable"
                raise TuneError(reason)
            self._read_token(match)
            position = match.end()

    def _read_token(self, match: re.Match[str]) -> None:
        kind = str(match.lastgroup).removesuffix("_length")
        text = match[kind]
        if kind == "field":
            self.read_field(text[1], text[3:-1])
        elif kind == "bar":
            self._in_bar.clear()
        elif kind == "tuplet":
            self._start_tuplet(text)
        elif kind == "note":
            self._add_notes(text, match["note_length"])
        elif kind == "chord":
            self._add_notes(text, match["chord_length"])
            self._written[-1].is_tied = is_tied_chord(text)
        elif kind == "rest":
            self._add(None, "", read_length(match["rest_length"]))
        elif kind == "broken":
            self._break_rhythm(text)
        elif kind == "tie" and self._written:
            self._written[-1].is_tied = True

    def _add_notes(self, token: str, length: str) -> None:
        """Add a note, or the highest one of a chord, which is as long as its first."""
        notes = notes_in(token)
        pitch, name = max(self._pitch(*note[:3]) for note in notes)
        self._add(pitch, name, read_length(notes[0][3]) * read_length(length))

    def _pitch(self, accidental: str, letter: str, marks: str) -> tuple[int, str]:
        """Pitch of a note, and its name without the accidental."""
        octave = MIDDLE_OCTAVE + letter.islower()
        octave += marks.count("'") - marks.count(",")
        letter = letter.upper()
        name = f"{letter}{octave}"
        last = self._written[-1] if self._written else None
        if accidental:
            self._in_bar[letter] = ALTERATIONS[accidental]
        elif last is not None and last.is_tied and last.name == name:
            # a tie carries an accidental over the bar
            return last.pitch or 0, name
        signature = self._key.alterations.get(letter, 0)
        shift = self._in_bar.get(letter, signature)
        return 12 * octave + SEMITONES[letter] + shift, name

    def _add(self, pitch: int | None, name: str, units: Fraction) -> None:
        left, times = self._tuplet
        self._tuplet = (max(0, left - 1), times)
        total = units * self._unit_length() * self._next_scale
        self._next_scale = Fraction(1)
        if left:
            total *= times
        if not total:
            reason = "note without length"
            raise TuneError(reason)
        self._written.append(_Written(pitch, name, self._key.tonic, total))

    def _unit_length(self) -> Fraction:
        if self._unit is not None:
            return self._unit
        return Fraction(1, 16) if self._meter < Fraction(3, 4) else Fraction(1, 8)

    def _start_tuplet(self, text: str) -> None:
        """Let the next r notes last p in the time of q: ``(p:q:r``."""
        given = [int(part) if part else 0 for part in text[1:].split(":")]
        p, q, r = given + [0] * (3 - len(given))
        if not p:
            reason = "unreadable"
            raise TuneError(reason)
        q = q or _TUPLET_TIMES.get(p, 3 if self._is_compound else 2)
        self._tuplet = (r or p, Fraction(q, p))

    def _break_rhythm(self, text: str) -> None:
        """Lengthen one of two notes by what the other is shortened by."""
        if not self._written:
            reason = "unreadable"
            raise TuneError(reason)
        short = Fraction(1, 2 ** len(text))
        before, after = (2 - short, short) if text[0] == ">" else (short, 2 - short)
        self._written[-1].length *= before
        self._next_scale = after

    def notes(self) -> list[Note]:
        """Return all notes that were read, tied ones as one."""
        notes: list[Note] = []
        joins = False
        for written in self._written:
            last = notes[-1] if notes else None
            if joins and last is not None and last.pitch == written.pitch is not None:
                total = last.length + written.length
                notes[-1] = Note(last.pitch, last.tonic, total)
            else:
                notes.append(Note(written.pitch, written.tonic, written.length))
            joins = written.is_tied
        return notes
