from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.evaluation.pools import documents_pool, index_pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.fit.monitor import Monitor, selection_score
from nextvec.training.listener import NullListener
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel, predict
from nextvec.training.models.prediction import Prediction
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache


@pytest.fixture(scope="module")
def prepared(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
) -> Preparation:
    return prepare(tiny_corpus, tiny_config, SharedCache(), NullListener())


@pytest.fixture(scope="module")
def model(prepared: Preparation) -> NextVectorModel:
    torch.manual_seed(0)
    return NextVectorModel(
        ModelConfig.of(prepared.config, dim=prepared.corpus.dim)
    ).eval()


def test_the_score_is_the_one_that_is_computed_again_after_training(
    prepared: Preparation, model: NextVectorModel
) -> None:
    measured = Monitor(prepared, prepared.config).measure(model, epoch=0)

    assert measured.score == selection_score(model, prepared)


def test_the_score_is_that_of_the_selection_pool(
    prepared: Preparation, model: NextVectorModel
) -> None:
    scores = {}
    for pool in ("documents", "index"):
        config = replace(prepared.config, selection_pool=pool)
        other = prepare(prepared.corpus, config, SharedCache(), NullListener())
        scores[pool] = Monitor(other, config).measure(model, epoch=0).score
        assert scores[pool] == selection_score(model, other)

    assert scores["index"] <= scores["documents"]


def test_measuring_twice_gives_the_same(
    prepared: Preparation, model: NextVectorModel
) -> None:
    monitor = Monitor(prepared, prepared.config)

    assert monitor.measure(model, epoch=0) == monitor.measure(model, epoch=1)


def test_the_cosine_is_that_of_the_validation_windows(
    prepared: Preparation, model: NextVectorModel
) -> None:
    measured = Monitor(prepared, prepared.config).measure(model, epoch=0)

    windows = prepared.suite.windows
    predicted = predict(model, *prepared.context(windows)).vectors
    target = prepared.vectors[torch.from_numpy(windows.target_rows)]
    mean = float(cosine_similarity(predicted, target).mean())
    assert measured.validation_cosine == pytest.approx(mean, abs=1e-6)


def test_training_windows_are_ranked_among_as_many_documents_as_validation_has(
    prepared: Preparation, model: NextVectorModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = []
    solved = torch.linalg.lstsq(prepared.vectors[:129], prepared.vectors[1:130])
    turn_DD: torch.Tensor = solved.solution

    def remember(corpus: Corpus, documents: np.ndarray, **told: int) -> object:
        cut.append(documents)
        return cut_windows(corpus, documents, **told)

    def turn(
        _: NextVectorModel, context_QTD: torch.Tensor, __: torch.Tensor
    ) -> Prediction:
        # what comes in the tiny corpus is the last vector, turned; blurred, so that it
        # is among the first five of some candidates and not of more
        return Prediction(context_QTD[:, -1] @ turn_DD + 0.7 * context_QTD[:, -2])

    monkeypatch.setattr("nextvec.training.fit.monitor.cut_windows", remember)
    monkeypatch.setattr("nextvec.training.evaluation.searched.predict", turn)

    measured = Monitor(prepared, prepared.config).measure(model, epoch=0)

    (documents,) = cut
    assert len(documents) == len(prepared.split.validation)
    assert set(documents.tolist()) <= set(prepared.split.train.tolist())
    windows = cut_windows(prepared.corpus, documents, stride=prepared.config.stride)
    ranker = Ranker(
        prepared.vectors,
        prepared.groups,
        windows,
        documents_pool(prepared.corpus, documents),
    )
    turned_QD = turn(model, *prepared.context(windows))
    assert measured.train_score == hit_at_k(ranker.ranks(turned_QD), 5)
    everywhere = Ranker(
        prepared.vectors, prepared.groups, windows, index_pool(prepared.corpus)
    )
    assert measured.train_score != hit_at_k(everywhere.ranks(turned_QD), 5)


def test_only_some_of_many_training_windows_are_measured(
    prepared: Preparation, model: NextVectorModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Monitor(prepared, prepared.config).measure(model, epoch=0)
    monkeypatch.setattr("nextvec.training.fit.monitor._MAX_TRAIN_WINDOWS", 3)

    some = Monitor(prepared, prepared.config).measure(model, epoch=0)

    assert some.train_score in {0, 1 / 3, 2 / 3, 1}
    assert some.train_cosine != whole.train_cosine
    assert some.score == whole.score
