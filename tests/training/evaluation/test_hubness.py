import numpy as np
import pytest
import torch

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.evaluation.hubness import NUM_NEAREST, QueryBank
from nextvec.training.vectors import Int64, l2_normalize
from tests.conftest import MakeCorpus

TRAIN: Int64 = np.arange(8)


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus([60] * 16, dim=24)


def vectors_of(corpus: Corpus) -> torch.Tensor:
    return torch.from_numpy(np.array(corpus.vectors))


def test_hubness_agrees_with_a_loop(corpus: Corpus) -> None:
    vectors = vectors_of(corpus)
    bank = QueryBank.draw(vectors, corpus, TRAIN, size=100)

    found = bank.hubness(vectors, corpus.document_of_row)

    for row in (0, 59, 60, 700):
        others = bank.documents != corpus.document_of_row[row]
        cosines = bank.predictions[torch.from_numpy(others)] @ vectors[row]
        expected = np.sort(cosines.numpy())[-NUM_NEAREST:].mean()
        assert float(found[row]) == pytest.approx(float(expected), abs=1e-6)


def test_the_bank_is_of_training_documents_alone(corpus: Corpus) -> None:
    bank = QueryBank.draw(vectors_of(corpus), corpus, TRAIN, size=150)

    assert set(bank.documents.tolist()) <= set(TRAIN.tolist())
    assert bank.predictions.shape == (150, 24)
    norms = bank.predictions.norm(dim=1)
    # kept in half precision
    torch.testing.assert_close(norms, torch.ones(150), atol=1e-3, rtol=0)


def test_a_bank_is_read_back_as_it_measures(corpus: Corpus) -> None:
    vectors = vectors_of(corpus)
    bank = QueryBank.draw(vectors, corpus, TRAIN, size=150)

    again = QueryBank.from_bytes(bank.to_bytes())

    found = again.hubness(vectors, corpus.document_of_row)
    assert torch.equal(found, bank.hubness(vectors, corpus.document_of_row))
    empty = QueryBank.from_bytes(QueryBank.empty(4).to_bytes())
    assert empty.predictions.shape == (0, 4)


def test_a_small_corpus_has_a_small_bank(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([6, 5], dim=4)
    vectors = vectors_of(corpus)

    bank = QueryBank.draw(vectors, corpus, np.arange(2))
    found = bank.hubness(vectors, corpus.document_of_row)

    assert len(bank.documents) < NUM_NEAREST
    assert found.shape == (11,)


def test_training_rows_are_no_hubs_for_the_questions_before_them(
    corpus: Corpus,
) -> None:
    """The trap: a row is near to the predictions in its own document."""
    vectors = vectors_of(corpus)
    bank = QueryBank.draw(vectors, corpus, TRAIN)
    is_trained = torch.from_numpy(corpus.document_of_row < len(TRAIN))

    def gap(document_N: Int64) -> float:
        found = bank.hubness(vectors, document_N)
        return float(found[is_trained].mean() - found[~is_trained].mean())

    nobody = np.full(len(vectors), -1)
    assert gap(nobody) > 0.1
    assert abs(gap(corpus.document_of_row)) < 0.05


def test_what_is_near_to_everything_is_a_hub(corpus: Corpus) -> None:
    vectors = np.array(corpus.vectors)
    # between all documents, and so near to what is predicted in any
    vectors[900] = l2_normalize(vectors.mean(axis=0, keepdims=True))[0]
    bank = QueryBank.draw(torch.from_numpy(vectors), corpus, TRAIN)

    found = bank.hubness(torch.from_numpy(vectors), corpus.document_of_row)

    assert float(found[900]) > float(found.quantile(0.9))
