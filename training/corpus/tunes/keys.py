"""Keys of ABC notation: which notes are raised or lowered, and the keynote."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nextvec.training.errors import TuneError

SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones from C to each letter."""

ALTERATIONS: Final = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Semitones that an accidental adds."""

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
# Sharps of the major key on each letter; below 0 flats.

_MODES = {
    "maj": 0, "ion": 0, "lyd": 1, "mix": -1, "dor": -2,
    "min": -3, "aeo": -3, "phr": -4, "loc": -5,
}  # fmt: skip
# Sharps more than the major key on the same note has, by three letters of the mode.

_SHORT_MODES = {"": "maj", "M": "maj", "m": "min"}

_SHARPED = "FCGDAEB"
# The order in which letters are raised; backwards that in which they are lowered.

_PIPES = "Amix"
# HP and Hp, of the Highland pipes: F and C raised, A the keynote.

_KEY = re.compile(
    rf"(?P<letter>[A-G])(?P<shift>[#b]?)\s*"
    rf"(?P<mode>(?i:(?:{'|'.join(_MODES)})[a-z]*)|[mM]?)(?P<more>(?:\s.*)?)"
)
_ACCIDENTAL = re.compile(r"(\^\^|\^|=|__|_)([A-Ga-g])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a ``K:`` field says."""

    tonic: int
    """Semitones from C up to the keynote, 0 to 11."""

    alterations: Mapping[str, int]
    """Semitones that a letter is raised by, where it is."""


def read_key(field: str) -> Key:
    """Read the value of a ``K:`` field, such as ``G``, ``Edor`` or ``D Mixolydian``.

    Accidentals after the mode change the signature; a clef changes nothing.

    Raises:
        TuneError: a key or mode that is not known.

    Example:
        >>> read_key("Em")
        Key(tonic=4, alterations={'F': 1})
    """
    text = field.strip()
    match = _KEY.fullmatch(_PIPES if text[:2] in {"HP", "Hp"} else text)
    if match is None:
        reason = "unknown key"
        raise TuneError(reason)
    letter, mode = match["letter"], match["mode"]
    shift = {"": 0, "#": 1, "b": -1}[match["shift"]]
    sharps = _MODES[_SHORT_MODES.get(mode, mode[:3].lower())]
    alterations = _signature(_FIFTHS[letter] + 7 * shift + sharps)
    for word in match["more"].split():
        if accidental := _ACCIDENTAL.fullmatch(word):
            alterations[accidental[2].upper()] = ALTERATIONS[accidental[1]]
    return Key(tonic=(SEMITONES[letter] + shift) % 12, alterations=alterations)


def _signature(sharps: int) -> dict[str, int]:
    """Letters that are raised, or with less than 0 sharps lowered."""
    step, letters = (1, _SHARPED) if sharps > 0 else (-1, _SHARPED[::-1])
    alterations: dict[str, int] = {}
    for number in range(abs(sharps)):
        # an eighth sharp is the second of the first letter
        letter = letters[number % len(letters)]
        alterations[letter] = alterations.get(letter, 0) + step
    return alterations
