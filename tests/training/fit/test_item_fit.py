"""Training networks of items: what learns, and what stays as it was given."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.fit.loop import Trained, fit
from nextvec.training.listener import NullListener
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import ItemVectors
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run import untrained_model

UNMET = 3


@pytest.fixture(scope="module")
def sessions(make_items: Callable[..., Corpus]) -> Corpus:
    """Sessions that go through the items in leaps; the last items are in none."""
    corpus = make_items([30] * 60, items=25 + UNMET)
    start = np.random.default_rng(0).integers(25, size=60)
    rows = (start[:, None] + 7 * np.arange(30)) % 25
    return replace(corpus, rows=rows.ravel())


@pytest.fixture
def trained(
    sessions: Corpus, tmp_path: Path
) -> Callable[..., tuple[Preparation, NextVectorModel, Trained]]:
    def run(**told: object) -> tuple[Preparation, NextVectorModel, Trained]:
        config = TrainingConfig(
            architecture="baseline",
            hidden_size=16,
            batch_size=4,
            warmup_steps=2,
            max_epochs=3,
            lr=0.02,
            weight_decay=0.5,
            stride=3,
            device="cpu",
            transform="center",
        )
        config = replace(config, **told)  # type: ignore[arg-type]
        prepared = prepare(sessions, config, SharedCache(), NullListener())
        torch.manual_seed(0)
        model = untrained_model(prepared, ClosedForm())
        return prepared, model, fit(model, prepared, config, tmp_path, NullListener())

    return run


@pytest.mark.parametrize("bank_size", [4096, 12], ids=["all", "sampled"])
@pytest.mark.parametrize("vectors", ["learned", "frozen"])
def test_an_item_that_training_does_not_meet_keeps_its_vector(
    trained: Callable[..., tuple[Preparation, NextVectorModel, Trained]],
    vectors: ItemVectors,
    bank_size: int,
) -> None:
    prepared, _, found = trained(item_vectors=vectors, bank_size=bank_size)

    assert found.best_epoch > 0
    items = found.model.items
    assert items is not None
    is_met = torch.from_numpy(prepared.item_counts > 0)
    assert is_met.sum() == 25
    is_same = (items.vectors_ND == prepared.vectors).all(dim=1)
    assert is_same[~is_met].all()
    assert is_same[is_met].all() == (vectors == "frozen")
    assert is_same[is_met].any() == (vectors == "frozen")
    # half an event of them, as before training; the others have learned how likely
    share = 0.5 / (prepared.item_counts + 0.5).sum()
    unmet = items.bias_N[~is_met].exp()
    torch.testing.assert_close(unmet, torch.full((UNMET,), share, dtype=torch.float32))


def test_the_losses_of_an_epoch_are_those_of_the_model_as_it_is_then(
    trained: Callable[..., tuple[Preparation, NextVectorModel, Trained]],
) -> None:
    prepared, model, found = trained()

    first, *_, last = found.history
    assert last.validation_loss < first.validation_loss - 0.5
    assert last.score > first.score
    # of the restored weights, by the judge that is told of their space
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert found.restored_score == found.best_score
    assert all(torch.equal(state[n], v) for n, v in found.model.state_dict().items())
    untouched = prepare(
        prepared.corpus, prepared.config, SharedCache(), NullListener()
    ).vectors
    assert torch.equal(prepared.vectors, untouched)
