import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.windows import cut_windows
from nextvec.training.errors import TrainingError
from nextvec.training.fit.candidates import Candidates, training_windows
from nextvec.training.fit.rank_loss import RankLoss
from nextvec.training.listener import NullListener
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache

BASE = ClosedForm(rates=(0.5,), weights=(1.0,))
SIZE = 20


@pytest.fixture(scope="module")
def prepared(tiny_corpus: Corpus, tiny_config: TrainingConfig) -> Preparation:
    config = replace(tiny_config, hard_negatives=SIZE, batch_size=4)
    return prepare(tiny_corpus, config, SharedCache(), NullListener())


@pytest.fixture(scope="module")
def candidates(prepared: Preparation) -> Candidates:
    return Candidates.mine(prepared, BASE, SIZE)


def test_windows_are_whole_and_of_training_documents(
    prepared: Preparation, candidates: Candidates
) -> None:
    windows = candidates.windows

    assert len(windows) > 0
    assert (windows.lengths == windows.width).all()
    assert np.isin(windows.documents, prepared.split.train).all()
    assert candidates.rows.shape == (len(windows), 1 + SIZE)


def test_documents_that_are_all_too_short_are_refused(
    prepared: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = cut_windows(prepared.corpus, np.empty(0, np.int64))
    monkeypatch.setattr(
        "nextvec.training.fit.candidates.cut_windows", lambda *_, **__: none
    )

    with pytest.raises(TrainingError, match=r"more than 100 vectors.*--reads vectors"):
        Candidates.mine(prepared, BASE, SIZE)


def test_more_windows_than_wanted_are_drawn_by_lot(prepared: Preparation) -> None:
    windows = training_windows(prepared, 5, 3, np.random.default_rng(0))

    assert len(windows) == 3


def test_no_candidate_is_in_the_context_or_like_the_target(
    prepared: Preparation, candidates: Candidates
) -> None:
    groups, windows = prepared.groups, candidates.windows

    for number, (target, *others) in enumerate(candidates.rows.tolist()):
        assert target == windows.target_rows[number]
        assert not set(others) & set(windows.context_rows[number].tolist())
        assert (groups[others] != groups[target]).all()
        assert np.isin(others, prepared.train_rows).all()


def test_most_candidates_are_what_the_closed_form_takes_for_the_next(
    prepared: Preparation, candidates: Candidates
) -> None:
    windows = candidates.windows
    context_BTD, length_B = prepared.context(windows)
    found_BD = BASE.at(context_BTD, length_B[:, None] - 1)[:, 0]
    score_BN = torch.nn.functional.normalize(found_BD, dim=-1) @ prepared.vectors.T
    score_BN -= candidates.hubness
    train_rows = torch.from_numpy(prepared.train_rows)
    typical_B1 = score_BN[:, train_rows].median(dim=1, keepdim=True).values

    rows_BC = torch.from_numpy(candidates.rows[:, 1:])
    is_hard_BC = score_BN.gather(1, rows_BC) > typical_B1

    assert is_hard_BC.float().mean() > 0.75


def test_an_epoch_has_every_window_once(
    prepared: Preparation, candidates: Candidates
) -> None:
    loss = RankLoss(prepared, candidates, prepared.vectors)

    found = list(loss.batches(np.random.default_rng(0)))

    numbers = np.sort(np.concatenate([batch for batch, _, _ in found]))
    assert numbers.tolist() == list(range(len(candidates.windows)))
    assert found[-1][1] == found[-1][2] == math.ceil(len(numbers) / 4)


def test_it_is_the_smooth_rank_by_hand(
    prepared: Preparation, candidates: Candidates
) -> None:
    torch.manual_seed(0)
    config = ModelConfig.of(prepared.config, dim=prepared.corpus.dim, base=BASE)
    model = NextVectorModel(config).eval()
    loss, batch = RankLoss(prepared, candidates, prepared.vectors), np.arange(3)

    class Long(np.random.Generator):
        def random(self) -> float:  # type: ignore[override]
            return 1.0

    found = loss(model, batch, Long(np.random.PCG64(0))).detach()

    expected = []
    vectors = prepared.vectors
    for number in batch:
        context_BTD, length_B = prepared.context(
            candidates.windows.take(np.array([number]))
        )
        prediction_D = model.predict(context_BTD, length_B).vectors[0].detach()
        rows = torch.from_numpy(candidates.rows[number])
        score_C = vectors[rows] @ prediction_D - candidates.hubness[rows]
        rank = sum(
            1 / (1 + math.exp(-(s - score_C[0]).item() / 0.02)) for s in score_C[1:]
        )
        expected.append(rank / (rank + prepared.suite.k))
    assert found.item() == pytest.approx(np.mean(expected), abs=1e-4)


def test_short_contexts_are_met_as_well(
    prepared: Preparation, candidates: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = RankLoss(prepared, candidates, prepared.vectors)
    model = NextVectorModel(
        ModelConfig.of(prepared.config, dim=prepared.corpus.dim, base=BASE)
    )
    lengths: list[int] = []
    predict = model.predict

    def remember(context_BTD: torch.Tensor, length_B: torch.Tensor) -> object:
        lengths.append(int(length_B.max()))
        return predict(context_BTD, length_B)

    monkeypatch.setattr(model, "predict", remember)
    rng = np.random.default_rng(0)
    for _ in range(20):
        loss(model, np.arange(2), rng)

    assert max(lengths) == candidates.windows.width
    assert min(lengths) < candidates.windows.width
