import numpy as np
import pytest

from benchmarks.ablation.windows import (
    deal_windows,
    is_input,
    is_target,
    training_windows,
)
from nextvec.training.corpus.split import Split
from nextvec.training.corpus.windows import cut_windows
from tests.conftest import MakeCorpus

SPLIT = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))


def test_a_target_inside_another_windows_context_is_counted(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([251, 101, 101, 101])
    # targets at 100, 150, 200 and 250 of the first document
    windows = cut_windows(corpus, np.array([0]), stride=50)
    train, held_out = windows.take(np.array([1, 3])), windows.take(np.array([0, 2]))

    inputs, targets = is_input(train, held_out), is_target(train, held_out)

    # 100 lies in the context 50..149, 200 in 150..249
    assert inputs.tolist() == [True, True]
    assert targets.tolist() == [False, False]


def test_a_split_by_document_leaks_nothing(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([251, 201, 251, 101])
    train = training_windows(corpus, SPLIT, stride=50)

    validation = cut_windows(corpus, SPLIT.validation, stride=10)

    assert not is_input(train, validation).any()
    assert is_target(train, train).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_windows_dealt_one_by_one_leak(make_corpus: MakeCorpus, seed: int) -> None:
    corpus = make_corpus([900, 900, 900, 900])

    deal = deal_windows(corpus, SPLIT, stride=50, seed=seed)

    assert len(deal.train) == len(training_windows(corpus, SPLIT, stride=50))
    assert len(deal.train) + len(deal.validation) == 3 * 16
    assert not is_target(deal.train, deal.validation).any()
    assert is_input(deal.train, deal.validation).mean() > 0.4
    assert 3 not in np.concatenate([deal.train.documents, deal.validation.documents])
    again = deal_windows(corpus, SPLIT, stride=50, seed=seed)
    np.testing.assert_array_equal(again.train.target_rows, deal.train.target_rows)
