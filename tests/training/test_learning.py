"""Can it learn? Rules that no mean of the past can know."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainingConfig
from training.corpus.corpus import Corpus
from training.models.config import Architecture
from training.run import train


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


def hit_at_1(card: dict[str, Any]) -> float:
    pools = {pool["pool"]: pool for pool in card["evaluation"]["pools"]}
    return float(pools["documents"]["hit_at"]["1"]["value"])
