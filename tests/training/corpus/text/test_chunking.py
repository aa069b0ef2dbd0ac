import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.text.chunking import (
    PASSAGE_WORDS,
    split_passages,
    split_sentences,
)

prose = st.lists(
    st.sampled_from(
        ["Word", "word", "e.g.", "end.", "Stop!", "why?", "(Yes.)", "3.2", "A", "\n\n"]
    ),
    max_size=200,
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="marks"),
        pytest.param("See e.g. Django.", ["See e.g. Django."], id="abbreviation"),
        pytest.param("By J. Smith. Yes.", ["By J. Smith.", "Yes."], id="initial"),
        pytest.param("In 3.2 it is. Now", ["In 3.2 it is.", "Now"], id="version"),
        pytest.param('"Go." (He went.) So', ['"Go."', "(He went.)", "So"], id="quotes"),
        pytest.param("Use a.b. then more", ["Use a.b. then more"], id="lower-case"),
        pytest.param("Title\n\nText", ["Title", "Text"], id="empty-line"),
        pytest.param("one\ntwo", ["one two"], id="line-break"),
        pytest.param(" \n \n ", [], id="nothing"),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@given(prose, st.integers(1, 30))
def test_every_word_stays_in_order(text: str, words: int) -> None:
    passages = split_passages(text, words=words)

    assert " ".join(passages).split() == text.split()
    assert all(passages)


@given(prose, st.integers(5, 30))
def test_only_sentences_of_three_times_the_aim_are_cut(text: str, words: int) -> None:
    joined = "\n".join(split_passages(text, words=words))

    for sentence in split_sentences(text):
        if len(sentence.split()) <= 3 * words:
            assert sentence in joined.replace("\n", " ")
            assert sentence in joined or sentence in _across(joined, sentence)


def _across(joined: str, sentence: str) -> str:
    """Passages that hold the sentence whole, where another one looks the same."""
    return "".join(line for line in joined.split("\n") if sentence in line)


@given(prose)
def test_only_a_whole_text_is_shorter_than_five_words(text: str) -> None:
    passages = split_passages(text)

    assert len(passages) <= 1 or min(len(p.split()) for p in passages) >= 5


def test_the_mean_length_is_near_the_aim() -> None:
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 30, size=3000)
    text = " ".join("Word " + "word " * (n - 2) + "word." for n in lengths)

    passages = split_passages(text)

    mean = np.mean([len(passage.split()) for passage in passages])
    assert abs(mean - PASSAGE_WORDS) < 2


def test_a_list_without_full_stops_is_cut_evenly() -> None:
    passages = split_passages("item " * 100)

    assert [len(passage.split()) for passage in passages] == [20] * 5


def test_an_aim_below_one_word_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        split_passages("Text.", words=0)
