from fractions import Fraction

import pytest

from nextvec.training.corpus.tunes.items import item_name
from nextvec.training.corpus.tunes.melody import MelodyReader
from nextvec.training.errors import TuneError


def read(line: str, **header: str) -> str:
    """Names of the notes of a line after a header, in C and eighths by default."""
    reader = MelodyReader()
    for letter, value in ({"L": "1/8"} | header).items():
        reader.read_field(letter, value)
    reader.read_line(line)
    return ", ".join(item_name(note) for note in reader.notes())


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param("C c", "C4 1/8, C5 1/8", id="octaves by case"),
        pytest.param("C, C,, c' c'',", "C3 1/8, C2 1/8, C6 1/8, C6 1/8", id="marks"),
        pytest.param("^C _E =B __D ^^F", "C#4 1/8, Eb4 1/8, B4 1/8, C4 1/8, G4 1/8",
                     id="accidentals"),
        pytest.param("C2 C3/2 C/ C// C/4 C3/", "C4 1/4, C4 3/16, C4 1/16, C4 1/32, "
                     "C4 1/32, C4 3/16", id="lengths"),
        pytest.param("z z2 x/", "rest 1/8, rest 1/4, rest 1/16", id="rests"),
        pytest.param("C>D", "C4 3/16, D4 1/16", id="broken"),
        pytest.param("C<D", "C4 1/16, D4 3/16", id="broken backwards"),
        pytest.param("C >> D", "C4 7/32, D4 1/32", id="twice broken, with spaces"),
        pytest.param("C>{g}D2", "C4 3/16, D4 1/8", id="broken over a grace note"),
        pytest.param("(3CDE F", "C4 1/12, D4 1/12, E4 1/12, F4 1/8", id="triplet"),
        pytest.param("(2CD", "C4 3/16, D4 3/16", id="duplet"),
        pytest.param("(3:2:2C2D E", "C4 1/6, D4 1/12, E4 1/8", id="p:q:r"),
        pytest.param("(3::2CD E", "C4 1/12, D4 1/12, E4 1/8", id="p::r"),
        pytest.param("(5CDEFG", "C4 1/20, D4 1/20, E4 1/20, F4 1/20, G4 1/20",
                     id="five in the time of two"),
        pytest.param("(3zCD", "rest 1/12, C4 1/12, D4 1/12", id="a rest in a triplet"),
        pytest.param("C-C", "C4 1/4", id="tie"),
        pytest.param("C2-|C- C", "C4 1/2", id="tie over a bar"),
        pytest.param("C-D", "C4 1/8, D4 1/8", id="a slur is no tie"),
        pytest.param("C- z C", "C4 1/8, rest 1/8, C4 1/8", id="a rest ends a tie"),
        pytest.param("z-z", "rest 1/8, rest 1/8", id="rests are not tied"),
        pytest.param("-C", "C4 1/8", id="a tie to nothing"),
        pytest.param("C>-C", "C4 1/4", id="tied and broken"),
    ],
)  # fmt: skip
def test_notes_are_read(line: str, names: str) -> None:
    assert read(line) == names


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param("^F F f|F", "F#4, F#4, F#5, F4", id="to the end of the bar"),
        pytest.param("^F =F F", "F#4, F4, F4", id="until another"),
        pytest.param("^F:|F", "F#4, F4", id="a repeat ends a bar"),
        pytest.param("^F2-|F F", "F#4, F4", id="a tie carries it, no further"),
        pytest.param("^F2-|=F", "F#4, F4", id="but not over another"),
        pytest.param("[^FA]F", "A4, F#4", id="out of a chord"),
    ],
)
def test_an_accidental_holds(line: str, names: str) -> None:
    assert ", ".join(name.split()[0] for name in read(line).split(", ")) == names


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('"Am"C "^text"D', id="chord symbols"),
        pytest.param("{gfe}C {/g}D", id="grace notes"),
        pytest.param("!trill!C +fermata+D", id="decorations"),
        pytest.param("C !\nD !", id="old line ends"),
        pytest.param("~C .D", id="signs"),
        pytest.param("TC uD", id="ornaments"),
        pytest.param("(C D)", id="slurs"),
        pytest.param("C`D", id="back quotes"),
        pytest.param("C y D y2", id="space"),
        pytest.param("C D \\", id="the line goes on"),
        pytest.param("|:C|D:|", id="repeats"),
        pytest.param("::C|]D[|", id="double bars"),
        pytest.param("|1 C:|2 D|]", id="endings"),
        pytest.param("[1C:|[2,3D||", id="endings in brackets"),
        pytest.param('["last"C D', id="an ending in words"),
        pytest.param("[P:A]C[r:remark]D", id="fields of no note"),
    ],
)
def test_what_is_no_melody_is_passed_over(line: str) -> None:
    assert read(line) == "C4 1/8, D4 1/8"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param("[CEG]", "G4 1/8", id="highest"),
        pytest.param("[c2E2]", "C5 1/4", id="length inside"),
        pytest.param("[CE]3", "E4 3/8", id="length outside"),
        pytest.param("[C2E2]/", "E4 1/8", id="both"),
        pytest.param("[CE-][CE]", "E4 1/4", id="tied"),
        pytest.param('[!f!C"D-7".E]E', "E4 1/8, E4 1/8", id="with signs"),
    ],
)
def test_of_a_chord_the_highest_note_is_the_melody(line: str, names: str) -> None:
    assert read(line) == names


@pytest.mark.parametrize(
    ("header", "names"),
    [
        pytest.param({"K": "G"}, "F4, B4", id="from G to C"),
        pytest.param({"K": "A", "L": "1/4"}, "Eb4, Ab4", id="accidental in the key"),
        pytest.param({"K": "C"}, "Bb4, E5", id="where it is"),
    ],
)
def test_a_tune_is_moved_so_that_its_keynote_is_c(
    header: dict[str, str], names: str
) -> None:
    line = {"G": "c ^f", "A": "=c =f", "C": "_B e"}[header["K"]]

    assert ", ".join(n.split()[0] for n in read(line, **header).split(", ")) == names


@pytest.mark.parametrize(
    ("meter", "length"),
    [
        ("4/4", "1/8"),
        ("C", "1/8"),
        ("C|", "1/8"),
        ("3/4", "1/8"),
        ("6/8", "1/8"),
        ("2/4", "1/16"),
        ("3/8", "1/16"),
        ("none", "1/8"),
    ],
)
def test_the_unit_of_length_goes_by_the_meter(meter: str, length: str) -> None:
    reader = MelodyReader()

    reader.read_field("M", meter)
    reader.read_line("C")

    assert [str(note.length) for note in reader.notes()] == [length]


@pytest.mark.parametrize(("meter", "length"), [("6/8", "3/40"), ("4/4", "1/20")])
def test_a_quintuplet_is_longer_in_compound_meters(meter: str, length: str) -> None:
    assert read("(5C", M=meter) == f"C4 {length}"


def test_fields_inside_the_tune_hold_from_there_on() -> None:
    names = read("c[K:G]c[L:1/4]c[M:2/4]c")

    assert names == "C5 1/8, F4 1/8, F4 1/4, F4 1/4"


def test_a_note_tells_where_it_is_written() -> None:
    reader = MelodyReader()

    reader.read_field("K", "Em")
    reader.read_line("E4 z4")

    notes = [(note.pitch, note.tonic, note.length) for note in reader.notes()]
    assert notes == [(52, 4, Fraction(1, 2)), (None, 4, Fraction(1, 2))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("CDE 4F", "unreadable", id="a length without a note"),
        pytest.param("C =20", "unreadable", id="mail"),
        pytest.param("C#D", "unreadable", id="a sign of no meaning"),
        pytest.param('"C', "unreadable", id="a quote that does not end"),
        pytest.param("Z4", "unreadable", id="rests of whole bars"),
        pytest.param("[C", "unreadable", id="a chord that does not end"),
        pytest.param("[C" + "/" * 60, "unreadable", id="many slashes end soon"),
        pytest.param("(0C", "unreadable", id="a tuplet of none"),
        pytest.param(">C", "unreadable", id="broken after nothing"),
        pytest.param("C & E", "several voices", id="two voices in a bar"),
        pytest.param("[V:2]C", "several voices", id="another voice"),
        pytest.param("C0", "note without length", id="zero"),
        pytest.param("C/0", "note without length", id="division by zero"),
        pytest.param("[K:H]", "unknown key", id="an unknown key"),
        pytest.param("[L:none]", "unknown unit of length", id="no unit"),
        pytest.param("[L:1/0]", "unknown unit of length", id="a unit of nothing"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, reason: str) -> None:
    with pytest.raises(TuneError, match=f"^{reason}$"):
        read(line)
