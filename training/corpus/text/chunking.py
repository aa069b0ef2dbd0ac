"""Text into passages of about 20 words, with whole sentences."""

import re
from itertools import pairwise
from typing import Final

PASSAGE_WORDS: Final = 20
"""Words that a passage aims at: in the original project a vector stood for some 20
tokens."""

_MIN_WORDS = 5
# A title alone ("Basics") says too little to be predicted: it joins what follows.

_MAX_SENTENCE = 3
# Times the aim: what is longer is a list without full stops, and is cut evenly.

_OVERSHOOT = 3
# A word too many weighs as much as three too few. Mean words of a passage, measured on
# the docs sample: 22.6 with 1, 21.1 with 2, 20.5 with 3.

_END = re.compile(
    r"(?<=[.!?])([\"')\]»\u201d\u2019]*)\s+(?=[\"'(\[«\u201c\u2018]*[A-Z0-9])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|fig|no|mr|mrs|dr|st)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"\n\s*\n")


def split_sentences(text: str) -> list[str]:
    r"""Split text into sentences; an empty line always ends one.

    Args:
        text: any text; line breaks inside a paragraph count as spaces.

    Returns:
        Sentences with single spaces; together they hold every word in order.

    Example:
        >>> split_sentences("Use it, e.g. Here. Then stop!\n\nTitle")
        ['Use it, e.g. Here.', 'Then stop!', 'Title']
    """
    sentences = []
    for paragraph in _PARAGRAPH.split(text):
        line = " ".join(paragraph.split())
        start = 0
        for end in _END.finditer(line):
            if not _ABBREVIATION.search(line, start, end.start()):
                sentences.append(line[start : end.end()].strip())
                start = end.end()
        if line[start:]:
            sentences.append(line[start:])
    return sentences


def split_passages(text: str, *, words: int = PASSAGE_WORDS) -> list[str]:
    """Pack whole sentences into passages, greedily from the start.

    A sentence joins the passage while that brings its length closer to the aim, a word
    too many weighing more than one too few. Only a sentence of more than three times
    the aim is cut, into even pieces.

    Args:
        text: any text.
        words: number of words that a passage aims at, at least 1.

    Returns:
        Passages; joined by spaces they are the text's words in order.

    Raises:
        ValueError: ``words`` below 1.

    Example:
        >>> split_passages("One two three. Four five six. Seven.", words=6)
        ['One two three. Four five six. Seven.']
    """
    if words < 1:
        msg = f"words must be at least 1, got {words}"
        raise ValueError(msg)
    passages: list[list[str]] = []
    current: list[str] = []
    minimum = min(_MIN_WORDS, words)
    for sentence in split_sentences(text):
        for piece in _pieces(sentence.split(), words):
            longer = len(current) + len(piece)
            overshoot = _OVERSHOOT * max(longer - words, 0)
            closer = overshoot <= words - len(current)
            if current and not closer and len(current) >= minimum:
                passages.append(current)
                current = []
            current = current + piece
    if current and len(current) < minimum and passages:
        passages[-1] += current
    elif current:
        passages.append(current)
    return [" ".join(passage) for passage in passages]


def _pieces(sentence: list[str], words: int) -> list[list[str]]:
    if len(sentence) <= _MAX_SENTENCE * words:
        return [sentence]
    count = -(-len(sentence) // words)
    cuts = [number * len(sentence) // count for number in range(count + 1)]
    return [sentence[a:b] for a, b in pairwise(cuts)]
