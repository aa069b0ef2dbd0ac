"""Can it learn? Rules that no mean of the past can know."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.models.closed_form import ClosedForm
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.run import train, untrained_model
from nextvec.training.vectors import l2_normalize


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "lr"),
    [
        ("baseline", 0.01),
        ("memory", 0.01),
        ("hierarchical", 0.01),
        # attention is unsteady at the rate of the others
        ("transformer", 0.002),
    ],
)
def test_a_planted_rule_is_learned_where_the_base_fails(
    architecture: Architecture,
    lr: float,
    tmp_path: Path,
    rule_corpus: Corpus,
) -> None:
    config = TrainingConfig(
        architecture=architecture,
        # the rule is one of the vectors: how they lie to one another says nothing
        reads="vectors",
        hidden_size=48,
        num_slots=16,
        num_lags=4,
        transform="identity",
        input_dropout=0.0,
        dropout=0.0,
        gce_q=0.0,
        lr=lr,
        free_scale=1.0,
        batch_size=4,
        bank_size=256,
        max_epochs=40,
        patience=12,
        stride=3,
        selection_pool="index",
    )

    untrained = train(
        rule_corpus, replace(config, max_epochs=0), tmp_path / "untrained"
    )
    trained = train(rule_corpus, config, tmp_path / "trained")

    assert hit_at_1(untrained) < 0.1
    assert hit_at_1(trained) >= 0.9


def test_what_only_a_memory_of_the_document_can_know_is_in_the_base(
    recurring_corpus: Corpus, tmp_path: Path
) -> None:
    config = TrainingConfig(max_epochs=0, hidden_size=4, num_slots=2, stride=5)

    card = train(recurring_corpus, config, tmp_path)

    def best(*, remembers: bool) -> float:
        found = card["baselines"].items()
        return max(
            float(s["documents"]) for n, s in found if ("memory" in n) == remembers
        )

    assert "memory" in card["base"]
    assert best(remembers=True) >= 0.95
    assert best(remembers=False) < 0.2


@pytest.fixture(scope="module")
def partners() -> Corpus:
    """Sequences of pairs: after an item comes its partner, then another item by lot.

    Who is whose partner is by lot in every sequence and stays so within it: no other
    sequence can tell. What is asked for is a partner, at every even position.
    """
    rng = np.random.default_rng(3)
    items, sequences, pairs, length = 40, 120, 6, 60
    rows = []
    for _ in range(sequences):
        own = rng.permutation(items)[: 2 * pairs].reshape(pairs, 2)
        rows += [int(rng.integers(items)), *own[rng.integers(pairs, size=30)].ravel()]
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(items, 16))),
        ids=[f"item{i}" for i in range(items)],
        rows=np.array(rows, dtype=np.int64),
        offsets=np.arange(sequences + 1) * (length + 1),
        document_ids=[f"sequence{s}" for s in range(sequences)],
        card=CorpusCard(name="partners", encoder="none", source="made by a test"),
        kind="items",
    )


@pytest.mark.slow
def test_what_only_its_own_sequence_tells_is_copied_and_not_learned(
    partners: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainingConfig(
        architecture="baseline",
        hidden_size=16,
        transform="center",
        batch_size=8,
        warmup_steps=5,
        lr=0.01,
        max_epochs=5,
        stride=2,
        device="cpu",
    )

    def without_copying(prepared: Preparation, base: ClosedForm) -> NextVectorModel:
        model = untrained_model(prepared, base)
        bare = NextVectorModel(replace(model.config, can_copy=False))
        assert bare.items is not None
        counts = torch.from_numpy(prepared.item_counts)
        bare.items.start(prepared.vectors, counts)
        return bare

    copying = train(partners, config, tmp_path / "copying")
    monkeypatch.setattr("nextvec.training.run.untrained_model", without_copying)
    bare = train(partners, config, tmp_path / "bare")

    assert copying["model"]["can_copy"]
    assert not bare["model"]["can_copy"]
    assert hit_at_1(copying, "index") >= 0.9
    assert hit_at_1(bare, "index") < 0.3


def hit_at_1(card: dict[str, Any], pool: str = "documents") -> float:
    pools = {pool["pool"]: pool for pool in card["evaluation"]["pools"]}
    return float(pools[pool]["hit_at"]["1"]["value"])
