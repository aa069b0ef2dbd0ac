"""Three ways past the hundredth vector, each what it says it is."""

import numpy as np
import torch

from benchmarks.streaming.__main__ import WAYS, document_predictions, ranks
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture
from nextvec.training.vectors import CONTEXT_LENGTH
from tests.conftest import MakeCorpus

LENGTH = CONTEXT_LENGTH + 55


def network(architecture: Architecture = "memory") -> NextVectorModel:
    torch.manual_seed(0)
    config = ModelConfig(
        dim=8, hidden_size=8, num_items=LENGTH, architecture=architecture
    )
    model = NextVectorModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return model


@torch.inference_mode()
def test_each_way_reads_what_it_says() -> None:
    model = network()
    assert model.items is not None
    sequence_LD = model.items.unit()
    # at the first position all read a hundred; then the newest hundred, or half
    lengths = {
        "windows of 100": {0: 100, 1: 100, 54: 100},
        "read anew, 51 to 100": {0: 100, 1: 51, 50: 100, 51: 51},
        "a state that runs on": {0: 100},
    }

    for name, way in WAYS.items():
        found = list(way(model, sequence_LD))

        assert len(found) == LENGTH - CONTEXT_LENGTH
        for at, length in lengths[name].items():
            end = CONTEXT_LENGTH + at
            context_1TD = sequence_LD[None, end - length : end]
            expected = model.predict(context_1TD, torch.tensor([length]))
            torch.testing.assert_close(
                found[at], expected.vectors[0], atol=1e-4, rtol=1e-4
            )


def test_the_newest_hundred_are_no_candidates() -> None:
    rows = np.random.default_rng(0).permutation(LENGTH)

    found = ranks(network(), [rows])

    for rank_P in found.values():
        assert rank_P.shape == (LENGTH - CONTEXT_LENGTH,)
        assert 1 <= rank_P.min() <= rank_P.max() <= LENGTH - CONTEXT_LENGTH
        assert rank_P.max() > 1


def test_chunks_are_not_counted_on_from_a_start_that_is_forgotten() -> None:
    rows = np.random.default_rng(0).permutation(LENGTH)

    found = ranks(network("hierarchical"), [rows])

    assert list(found) == ["windows of 100", "read anew, 51 to 100"]


def test_documents_are_predicted_at_their_windows(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([LENGTH, 40, CONTEXT_LENGTH + 1])
    config = ModelConfig(
        dim=8, hidden_size=8, reads="vectors", base=ClosedForm(memory=SequenceMemory())
    )
    model = NextVectorModel(config).eval()
    vectors_ND = torch.from_numpy(np.array(corpus.vectors))
    windows = cut_windows(corpus, np.array([0, 1, 2]), stride=7)

    found = document_predictions(model, vectors_ND, corpus, windows)

    length_Q = torch.from_numpy(windows.lengths)
    contexts = torch.from_numpy(windows.contexts(vectors_ND.numpy()))
    expected = model.predict(contexts, length_Q).vectors
    torch.testing.assert_close(
        found["windows of 100"], expected.detach(), atol=1e-5, rtol=1e-5
    )
    assert found.keys() == WAYS.keys()
    apart = (found["read anew, 51 to 100"] - expected).norm(dim=1)
    is_first = torch.from_numpy(windows.positions == CONTEXT_LENGTH)
    assert apart[is_first].max() < 1e-4 < apart[~is_first].max()
