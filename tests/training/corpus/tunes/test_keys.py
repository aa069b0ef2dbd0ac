import pytest

from nextvec.training.corpus.tunes.keys import read_key
from nextvec.training.errors import TuneError


@pytest.mark.parametrize(
    ("field", "tonic", "raised"),
    [
        pytest.param("C", 0, "", id="no signature"),
        pytest.param(" G ", 7, "^F", id="spaces"),
        pytest.param("D", 2, "^F^C", id="two sharps"),
        pytest.param("Bb", 10, "_B_E", id="flat tonic"),
        pytest.param("F#", 6, "^F^C^G^D^A^E", id="sharp tonic"),
        pytest.param("Am", 9, "", id="m is minor"),
        pytest.param("EM", 4, "^F^C^G^D", id="M is major"),
        pytest.param("B Minor", 11, "^F^C", id="a word after a space"),
        pytest.param("EMin", 4, "^F", id="capital letters"),
        pytest.param("Ador", 9, "^F", id="dorian"),
        pytest.param("A Mixolydian", 9, "^F^C", id="mixolydian"),
        pytest.param("Glyd", 7, "^F^C", id="lydian"),
        pytest.param("Bphr", 11, "^F", id="phrygian"),
        pytest.param("Bloc", 11, "", id="locrian"),
        pytest.param("Caeo", 0, "_B_E_A", id="aeolian"),
        pytest.param("G ion", 7, "^F", id="ionian"),
        pytest.param("Hp", 9, "^F^C", id="pipes"),
        pytest.param("HP", 9, "^F^C", id="pipes without signature in print"),
        pytest.param("D =c ^g", 2, "^F=C^G", id="accidentals after it"),
        pytest.param("Em clef=bass", 4, "^F", id="a clef changes nothing"),
        pytest.param("D staff", 2, "^F^C", id="nor do other words"),
    ],
)
def test_a_key_says_what_is_raised_and_its_keynote(
    field: str, tonic: int, raised: str
) -> None:
    key = read_key(field)

    signs = {1: "^", 0: "=", -1: "_"}
    assert key.tonic == tonic
    assert "".join(signs[n] + letter for letter, n in key.alterations.items()) == raised


def test_an_eighth_sharp_raises_a_letter_twice() -> None:
    assert read_key("G#").alterations["F"] == 2
    assert read_key("Fb").alterations["B"] == -2


@pytest.mark.parametrize("field", ["", "H", "Es", "Bn", "none", "?"])
def test_what_is_no_key_is_refused(field: str) -> None:
    with pytest.raises(TuneError, match="unknown key"):
        read_key(field)


@pytest.mark.parametrize(
    ("major", "minor"),
    [("C", "A"), ("G", "E"), ("D", "B"), ("E", "C#"), ("F", "D"), ("Bb", "G")],
)
def test_relative_keys_have_one_signature(major: str, minor: str) -> None:
    one, other = read_key(major), read_key(f"{minor}m")

    assert one.alterations == other.alterations
    assert (one.tonic - other.tonic) % 12 == 3
