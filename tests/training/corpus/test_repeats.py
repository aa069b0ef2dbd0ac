import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.repeats import repeat_share


def corpus_of(sequences: list[list[int]]) -> Corpus:
    lengths = [len(rows) for rows in sequences]
    return Corpus(
        vectors=np.eye(5, dtype=np.float32),
        ids=list("abcde"),
        rows=np.concatenate(sequences).astype(np.int64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        document_ids=[str(number) for number in range(len(sequences))],
        card=CorpusCard(name="tiny", encoder="none", source="made by a test"),
        kind="items",
    )


def test_what_never_comes_again_is_no_repeat() -> None:
    assert repeat_share(corpus_of([[0, 1, 2], [2, 1]]), np.array([0, 1])) == 0


@given(
    st.lists(
        st.lists(st.integers(-1, 4), min_size=1, max_size=12), min_size=1, max_size=3
    ),
    st.integers(1, 12),
)
def test_the_share_agrees_with_the_slow_way(
    sequences: list[list[int]], context_length: int
) -> None:
    repeated = total = 0
    for rows in sequences:
        known = [row for row in rows if row >= 0]
        for position, row in enumerate(known[1:], start=1):
            repeated += row in known[max(0, position - context_length) : position]
            total += 1

    found = repeat_share(
        corpus_of(sequences),
        np.arange(len(sequences)),
        context_length=context_length,
    )

    assert found == repeated / max(1, total)
