"""Notes as items: what is compared, and what a person reads."""

from typing import Final

from nextvec.training.corpus.tunes.melody import Note

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

REST: Final = "rest"
"""What a rest is called in place of a note."""


def item_name(note: Note) -> str:
    """Name a note by pitch and length, the tune moved so that its keynote is C.

    So a tune reads alike in every key: ``G4 1/8`` is an eighth a fifth above the
    keynote, whatever that is. Notes that sound alike are one: Eb4 is D#4.

    Example:
        >>> from fractions import Fraction
        >>> item_name(Note(pitch=4 * 12 + 9, tonic=2, length=Fraction(1, 8)))
        'G4 1/8'
    """
    if note.pitch is None:
        return f"{REST} {note.length}"
    octave, semitone = divmod(note.pitch - note.tonic, 12)
    return f"{_NAMES[semitone]}{octave} {note.length}"
