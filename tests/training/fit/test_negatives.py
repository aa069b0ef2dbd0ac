from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.segments import cut_segments
from nextvec.training.fit.negatives import OwnNegatives

MakeCorpus = Callable[..., Corpus]


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=5),
    number=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_negatives_are_of_the_same_document_and_what_is_seen_is_marked(
    make_corpus: MakeCorpus, lengths: list[int], number: int, seed: int
) -> None:
    corpus = make_corpus(lengths, dim=2)
    segments = cut_segments(
        corpus,
        np.arange(len(lengths)),
        context_length=7,
        rng=np.random.default_rng(seed),
    )
    contexts = segments[:, :-1]

    own = OwnNegatives.draw(corpus, contexts, number, np.random.default_rng(seed))

    rows = own.rows.numpy()
    assert rows.shape == (len(contexts), number)
    for stretch, context in enumerate(contexts):
        document = corpus.document_of_row[context[0]]
        assert (corpus.document_of_row[rows[stretch]] == document).all()
        for position in range(int((context >= 0).sum())):
            seen = np.isin(rows[stretch], context[: position + 1])
            assert own.is_seen[stretch, position].tolist() == seen.tolist()


def test_every_row_of_the_document_can_be_drawn(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([5, 9], dim=2)

    own = OwnNegatives.draw(
        corpus, np.array([[7, 8, 9]]), 300, np.random.default_rng(0)
    )

    assert sorted(set(own.rows[0].tolist())) == list(range(5, 14))


def test_cosines_are_those_of_the_unmasked(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([6], dim=4)
    vectors = torch.from_numpy(corpus.vectors)
    groups = torch.tensor([0, 1, 2, 3, 4, 3])
    own = OwnNegatives(
        rows=torch.tensor([[0, 2, 3, 5]]),
        is_seen=torch.tensor([[[True, False, False, False]] * 2]),
    )
    predictions = torch.nn.functional.normalize(torch.ones(1, 2, 4), dim=-1)

    cosines = own.cosines(predictions, vectors, groups, torch.tensor([[3, 4]]))

    expected = predictions[0] @ vectors[torch.tensor([0, 2, 3, 5])].T
    # row 0 is seen; rows 3 and 5 are one thing, which is the target at position 0
    expected[:, 0] = -torch.inf
    expected[0, 2:] = -torch.inf
    torch.testing.assert_close(cosines[0], expected)
