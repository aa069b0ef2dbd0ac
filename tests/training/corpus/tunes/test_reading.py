import pytest

from nextvec.training.corpus.tunes.items import item_name
from nextvec.training.corpus.tunes.reading import Tune, tunes_in
from nextvec.training.errors import TuneError

FILE = """% A file of tunes
%%format

X:1
T:The First  % as printed
T: An Cead
N::a note
M:6/8
R: jig
these words are in the header
L:1/8
K:D
% a comment between
D2 F|:\\
w:words to sing
G:|
K:G
G2 % the end

free text: CDE

X: 2
K:C
C
X:3
K:C
P:A
z|
"""


def names(tune: Tune) -> list[str]:
    return [item_name(note) for note in tune.notes()]


def test_a_file_holds_tunes_and_other_things() -> None:
    tunes = list(tunes_in(FILE))

    assert [(tune.number, tune.titles) for tune in tunes] == [
        ("1", ("The First", "An Cead")),
        ("2", ()),
        ("3", ()),
    ]
    assert names(tunes[0]) == ["C4 1/4", "E4 1/8", "F4 1/8", "C4 1/4"]
    assert names(tunes[1]) == ["C4 1/8"]


def test_a_line_that_looks_like_a_field_can_be_notes() -> None:
    (tune,) = tunes_in("X:1\nK:C\nG:|\nA::\nI:linebreak\nB")

    assert names(tune) == ["G4 1/8", "A4 1/8", "B4 1/8"]


def test_ends_of_lines_of_other_systems_are_read() -> None:
    (tune,) = tunes_in("X:1\r\nT:One\r\nK:C\r\nCD|\r\n")

    assert tune.titles == ("One",)
    assert len(tune.notes()) == 2


def test_no_file_without_a_number_holds_a_tune() -> None:
    assert list(tunes_in("T:Title\nK:C\nCDE\n")) == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param("K:C\nz4|", "no notes", id="rests alone"),
        pytest.param("T:Title", "no notes", id="a header alone"),
        pytest.param("V:1\nK:C\nC", "several voices", id="voices in the header"),
        pytest.param("K:C\nC\nV:2\nE", "several voices", id="voices in the tune"),
        pytest.param("L:1\nK:C\nC", "unknown unit of length", id="a unit"),
    ],
)
def test_a_tune_that_cannot_be_read_says_why(lines: str, reason: str) -> None:
    (tune,) = tunes_in(f"X:1\n{lines}\n")

    with pytest.raises(TuneError, match=reason):
        tune.notes()
