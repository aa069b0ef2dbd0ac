"""A GO that a table of counts beats is the worst thing this project can say."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.evaluation.item_baselines.conftest import MakeSequences
from training.config import TrainingConfig
from training.run import train


@pytest.mark.slow
def test_a_plain_rule_is_no_go_for_a_network_that_counts_beat(
    sequences_of: MakeSequences, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    items, length, sequences = 60, 40, 120
    # what follows is a permutation, and which one the item three steps back decides
    orders = [rng.permutation(items) for _ in range(3)]
    found = []
    for _ in range(sequences):
        rows = rng.integers(items, size=3).tolist()
        while len(rows) < length:
            follows = int(orders[rows[-3] % 3][rows[-1]])
            is_noise = rng.random() < 0.15
            rows.append(int(rng.integers(items)) if is_noise else follows)
        found.append(rows)
    config = TrainingConfig(hidden_size=8, num_slots=2, max_epochs=1, device="cpu")

    card = train(sequences_of(found, items), config, tmp_path)

    (pool,) = card["evaluation"]["pools"]
    best = card["baselines"][pool["baseline"]]["index"]
    assert best == max(scores["index"] for scores in card["baselines"].values())
    # a table of first-order counts has the three that can follow among its first ten
    assert card["baselines"]["MC"]["index"] > 0.75
    assert card["baselines"]["popularity"]["index"] < 0.4
    assert pool["lift"]["value"] < 0
    assert card["readiness"]["verdict"] == "NO-GO"
