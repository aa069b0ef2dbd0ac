from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.baselines import ContextMean, WeightedMean
from nextvec.training.evaluation.diagnostics import Diagnostics, diagnose
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.score import Score
from nextvec.training.evaluation.searched import SearchedSpace
from nextvec.training.evaluation.suite import build_suite
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.head import DeltaHead
from nextvec.training.models.memory import MemoryEncoder
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture
from nextvec.training.models.prediction import Prediction
from nextvec.training.vectors import Int64, l2_normalize

MakeCorpus = Callable[..., Corpus]
Predict = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Told(SearchedSpace):
    """A space in which something else than the model predicts."""

    say: Predict

    def predict(self, _model: NextVectorModel, windows: Windows) -> Prediction:
        said_QD = self.say(*self.contexts(windows))
        return Prediction(said_QD).at(windows.context_rows)


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """Make walks without a topic: only the newest vectors say what comes next."""
    walks = make_corpus([130] * 20, dim=16)
    centered = walks.vectors.reshape(20, 130, 16)
    centered = centered - centered.mean(axis=1, keepdims=True)
    return replace(walks, vectors=l2_normalize(centered.reshape(-1, 16)))


@pytest.fixture(scope="module")
def judge(corpus: Corpus) -> Judge:
    split = split_documents(corpus, SplitConfig())
    groups = np.arange(len(corpus.vectors))
    suite = build_suite(corpus, split, groups, "validation", stride=3)
    return Judge(torch.from_numpy(corpus.vectors), groups, suite)


def make_model(architecture: Architecture = "memory") -> NextVectorModel:
    torch.manual_seed(0)
    config = ModelConfig(
        dim=16,
        architecture=architecture,
        reads="vectors",
        hidden_size=8,
        num_slots=4,
        num_lags=4,
    )
    model = NextVectorModel(config)
    assert isinstance(model.head, DeltaHead)
    for layer in (model.head.lags, model.head.free):
        torch.nn.init.normal_(layer.weight, std=0.3)
    return model.eval()


def run(
    corpus: Corpus,
    judge: Judge,
    predict: Predict | None,
    model: NextVectorModel | None = None,
    groups: Int64 | None = None,
) -> Diagnostics:
    vectors_ND = torch.from_numpy(corpus.vectors)
    score = Score.plain(len(vectors_ND))
    space = (
        SearchedSpace(vectors_ND, score)
        if predict is None
        else Told(vectors_ND, score, predict)
    )
    return diagnose(
        model or make_model("baseline"),
        judge,
        space,
        np.arange(len(corpus.vectors)) if groups is None else groups,
        corpus.document_of_row,
    )


def test_copying_the_last_vector_lives_from_the_last_vector(
    corpus: Corpus, judge: Judge
) -> None:
    found = run(corpus, judge, WeightedMean((1.0,)).predict)

    assert found.hit > 0.3
    assert set(found.by_context_length) == {5, 20, 50, 100}
    assert set(found.by_context_length.values()) == {found.hit}
    assert found.shuffled < found.hit / 2
    assert found.shuffled_loss.value == pytest.approx(found.hit - found.shuffled)
    assert found.last_replaced < found.hit / 2
    assert found.first_is_copy == 1.0


def test_the_mean_of_the_context_knows_no_order(corpus: Corpus, judge: Judge) -> None:
    found = run(corpus, judge, ContextMean().predict)

    assert found.shuffled == pytest.approx(found.hit)
    assert found.shuffled_loss.value == pytest.approx(0)
    assert found.by_context_length[100] == found.hit
    assert found.by_context_length[5] != found.hit


def test_a_perfect_prediction_misses_nowhere(corpus: Corpus, judge: Judge) -> None:
    target = judge.suite.windows.target_rows

    found = run(corpus, judge, lambda *_: torch.from_numpy(corpus.vectors[target]))

    assert found.hit == 1.0
    assert found.misses_in_document is None
    assert found.first_is_copy == 0.0
    assert found.memory_gain is None


def test_what_replaces_the_last_vector_is_of_another_document(
    corpus: Corpus, judge: Judge
) -> None:
    seen = []

    def predict(context_QTD: Tensor, length_Q: Tensor) -> Tensor:
        seen.append(context_QTD)
        return WeightedMean((1.0,)).predict(context_QTD, length_Q)

    run(corpus, judge, predict)

    whole_QTD = seen[0]
    (replaced_QTD,) = [
        context_QTD
        for context_QTD in seen[1:]
        if context_QTD.shape == whole_QTD.shape
        and torch.equal(context_QTD[:, :-1], whole_QTD[:, :-1])
        and not torch.equal(context_QTD, whole_QTD)
    ]
    similarity_QN = replaced_QTD[:, -1] @ torch.from_numpy(corpus.vectors).T
    document_Q = corpus.document_of_row[similarity_QN.argmax(dim=1).numpy()]
    assert (document_Q != judge.suite.windows.documents).all()


def with_twins(corpus: Corpus, rows: Int64) -> tuple[Corpus, Int64]:
    """Make the first passages of the corpus twins of some others; and the groups."""
    vectors, groups = np.array(corpus.vectors), np.arange(len(corpus.vectors))
    vectors[: len(rows)], groups[: len(rows)] = vectors[rows], rows
    return replace(corpus, vectors=vectors), groups


def test_the_twin_of_a_context_vector_is_a_copy_too(corpus: Corpus) -> None:
    split = split_documents(corpus, SplitConfig())
    windows = build_suite(
        corpus, split, np.arange(len(corpus.vectors)), "validation", stride=29
    ).windows
    last = windows.context_rows[:, -1]
    assert last.min() > len(last)
    twins, groups = with_twins(corpus, last)
    suite = build_suite(twins, split, groups, "validation", stride=29)
    judge = Judge(torch.from_numpy(twins.vectors), groups, suite)

    found = run(twins, judge, WeightedMean((1.0,)).predict, groups=groups)

    assert found.first_is_copy == 1.0


def test_misses_are_told_apart_by_document(corpus: Corpus, judge: Judge) -> None:
    windows = judge.suite.windows
    # the last passage of the same document, and a target of another
    last = corpus.offsets[windows.documents + 1] - 1
    near = np.where(windows.target_rows == last, last - 1, last)
    away = np.roll(windows.target_rows, len(windows) // 2)
    assert (np.roll(windows.documents, len(windows) // 2) != windows.documents).all()

    found = run(corpus, judge, lambda *_: torch.from_numpy(corpus.vectors[near]))
    other = run(corpus, judge, lambda *_: torch.from_numpy(corpus.vectors[away]))

    assert found.misses_in_document == 1.0
    assert other.misses_in_document == 0.0


def test_a_duplicate_of_the_target_is_no_wrong_answer(
    corpus: Corpus, judge: Judge
) -> None:
    windows = judge.suite.windows
    last = corpus.offsets[windows.documents + 1] - 1
    groups = np.arange(len(corpus.vectors))
    groups[windows.target_rows] = last
    grouped = Judge(torch.from_numpy(corpus.vectors), groups, judge.suite)
    away = np.roll(windows.target_rows, len(windows) // 2)
    # nearest to the duplicate, then to a passage of another document
    between = 2 * corpus.vectors[last] + 1.9 * corpus.vectors[away]

    found = run(corpus, grouped, lambda *_: torch.from_numpy(between), groups=groups)
    apart = run(corpus, judge, lambda *_: torch.from_numpy(between))

    assert found.misses_in_document is not None
    assert apart.misses_in_document is not None
    assert found.misses_in_document < 0.2
    assert apart.misses_in_document > 0.4


def test_a_second_place_is_a_miss_of_the_first_answer(
    corpus: Corpus, judge: Judge
) -> None:
    windows = judge.suite.windows
    last = corpus.offsets[windows.documents + 1] - 1
    near = np.where(windows.target_rows == last, last - 1, last)
    between = corpus.vectors[near] + 0.8 * corpus.vectors[windows.target_rows]

    ranker = judge.rankers["documents"]
    rank_Q = ranker.ranks(torch.from_numpy(between))
    first_Q = ranker.nearest(torch.from_numpy(between))
    assert (first_Q[rank_Q > 1] != windows.target_rows[rank_Q > 1]).all()

    found = run(corpus, judge, lambda *_: torch.from_numpy(between))

    missed = rank_Q > 1
    assert (rank_Q[missed] <= 5).any()
    inside = corpus.document_of_row[first_Q[missed]] == windows.documents[missed]
    assert 0 < inside.mean() < 1
    assert found.misses_in_document == pytest.approx(inside.mean())


def test_what_the_memory_brings_is_measured(corpus: Corpus, judge: Judge) -> None:
    model = make_model("memory")

    found = run(corpus, judge, None, model)

    assert found.memory_gain is not None
    assert -1 <= found.memory_gain.value <= 1
    # a memory whose answers are all alike has nothing to give
    assert isinstance(model.encoder, MemoryEncoder)
    torch.nn.init.zeros_(model.encoder.memory.value.weight)
    torch.nn.init.zeros_(model.encoder.memory.value.bias)
    empty = run(corpus, judge, None, model)
    assert empty.memory_gain is not None
    assert empty.memory_gain.value == pytest.approx(0)


def test_the_same_seed_takes_the_same_things_away(corpus: Corpus, judge: Judge) -> None:
    first, second = (run(corpus, judge, WeightedMean((0.5,)).predict) for _ in range(2))

    assert first == second


def test_plain_types_name_the_lengths_as_text(corpus: Corpus, judge: Judge) -> None:
    plain = run(corpus, judge, WeightedMean((0.5,)).predict).to_dict()

    assert list(plain["by_context_length"]) == ["5", "20", "50", "100"]
    assert plain["shuffled_loss"].keys() == {"value", "low", "high"}
