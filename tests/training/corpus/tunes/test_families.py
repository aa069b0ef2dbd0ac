import numpy as np
import pytest

from nextvec.training.corpus.tunes.families import families, plain_title
from nextvec.training.vectors import Int64


def melody(seed: int, length: int = 60) -> Int64:
    """A walk that no other seed takes."""
    steps = np.random.default_rng(seed).integers(-5, 6, length)
    return 50 + np.cumsum(steps)


def untitled(pitches: list[Int64]) -> list[int]:
    return [int(family) for family in families([()] * len(pitches), pitches)]


def test_tunes_that_have_nothing_in_common_are_apart() -> None:
    assert untitled([melody(seed) for seed in range(5)]) == [0, 1, 2, 3, 4]


def test_a_variant_stays_with_its_tune_in_any_key() -> None:
    tune = melody(0)
    varied = tune + 7
    varied[20:24] += 2
    half = tune[:30] - 3

    assert untitled([melody(1), tune, melody(2), varied, half]) == [0, 1, 2, 1, 1]


def test_variants_of_variants_are_one_family() -> None:
    one, other = melody(0), melody(1)
    between = np.concatenate([one[:30], other[:30]])

    assert untitled([one, other]) == [0, 1]
    assert untitled([one, other, between]) == [0, 0, 0]


def test_a_figure_in_common_makes_no_variant() -> None:
    figure = melody(9, length=10)

    found = untitled([np.concatenate([melody(n), figure]) for n in range(3)])

    assert found == [0, 1, 2]


def test_a_run_that_everybody_uses_tells_nothing() -> None:
    figure = melody(0, length=14)
    tunes = [np.concatenate([[0, 100 + number], figure]) for number in range(51)]

    assert untitled(tunes) == list(range(51))
    assert untitled(tunes[:50]) == [0] * 50


def test_tunes_too_short_for_a_run_are_apart() -> None:
    assert untitled([np.array([60]), np.array([60, 62, 64]), melody(0)]) == [0, 1, 2]
    assert untitled([np.array([60])]) == [0]


def test_any_title_in_common_makes_variants() -> None:
    titles = [
        ("The White Cockade",),
        ("Quick Step",),
        ("Ranting Highlandman", "WHITE COCKADE, The."),
        ("", "?"),
        ("!",),
    ]

    found = families(titles, [melody(seed) for seed in range(5)])

    assert found.tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("The Devil's Dream", "devil s dream"),
        ("Devil's Dream, The", "devil s dream"),
        ("7th Regiment -- Reel", "7th regiment"),
        ("Chevy Chase 2", "chevy chase"),
        ("Tailor's Twist, 2nd Setting", "tailor s twist"),
        ("17", "17"),
        ("Die  Königskinder", "konigskinder"),
        ("...", ""),
    ],
)
def test_titles_are_compared_without_what_varies(title: str, plain: str) -> None:
    assert plain_title(title) == plain
