"""What the lines of a tune in ABC notation are made of."""

import re
from fractions import Fraction
from typing import Final

_NOTE_TEXT = r"(?:\^\^|\^|=|__|_)?[A-Ga-g][,']*"
_LENGTH = r"[0-9]*(?:/[0-9]*)*"
_BESIDE = r"""(?:[-~.()\ H-Wh-w]|"[^"]*"|![^!\s|]*!)*"""
# What can stand beside the notes of a chord: ties, ornaments, chord symbols.

TOKEN: Final = re.compile(
    rf"""
    (?P<field>\[[A-Za-z]:[^\]]*\])
  | (?P<chord>\[{_BESIDE}(?:{_NOTE_TEXT}{_LENGTH}{_BESIDE})+\])
    (?P<chord_length>{_LENGTH})
  | (?P<bar>(?:\[\|[|:\]]*|[|:]+\]?)(?:[0-9]+(?:[-,.][0-9]+)*)?)
  | (?P<ending>\[(?:[0-9]+(?:[-,.][0-9]+)*|(?=")))
  | (?P<tuplet>\([0-9](?::[0-9]?){{0,2}})
  | (?P<note>{_NOTE_TEXT})(?P<note_length>{_LENGTH})
  | (?P<rest>[zx])(?P<rest_length>{_LENGTH})
  | (?P<broken><+|>+)
  | (?P<tie>-)
  | (?P<silent>\{{[^}}]*\}}|"[^"]*"|![^!\s|]*!|\+[a-z]+\+|y{_LENGTH}
      |[\s()`\\~.!\]H-Wh-w])
    """,
    re.VERBOSE,
)
"""One of them, named by its group; of a note, a rest or a chord the length is apart.

Ornaments are letters from H to W and h to w, and signs; they are silent.
"""

_NOTE = re.compile(rf"(\^\^|\^|=|__|_)?([A-Ga-g])([,']*)({_LENGTH})")
_SILENT_IN_CHORD = re.compile(r'"[^"]*"|![^!]*!')
_FRACTION = re.compile(r"([0-9]+)\s*/\s*([0-9]+)")


def notes_in(token: str) -> list[tuple[str, str, str, str]]:
    """Take the notes of a token apart: a single one, or those of a chord.

    Returns:
        Accidental, letter, octave marks and length of each, as they are written.
    """
    return _NOTE.findall(_SILENT_IN_CHORD.sub("", token))


def is_tied_chord(token: str) -> bool:
    """Tell whether a tie stands inside a chord."""
    return "-" in _SILENT_IN_CHORD.sub("", token)


def read_length(text: str) -> Fraction:
    """Read a length in units: 3, 3/2, / for a half, // for a quarter; 0 if it is none.

    Example:
        >>> read_length("3/2"), read_length("//")
        (Fraction(3, 2), Fraction(1, 4))
    """
    number, *divisors = text.split("/")
    total = Fraction(int(number or 1))
    for divisor in divisors:
        if not int(divisor or 2):
            return Fraction(0)
        total /= int(divisor or 2)
    return total


def read_fraction(text: str) -> tuple[int, int]:
    """Find the first fraction of a text, such as ``6/8``; 0 and 1 if there is none."""
    match = _FRACTION.search(text)
    if match is None or not int(match[2]):
        return 0, 1
    return int(match[1]), int(match[2])
