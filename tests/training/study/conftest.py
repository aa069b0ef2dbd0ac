from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.study.results import result_of

MakeResult = Callable[..., dict[str, Any]]


@pytest.fixture
def make_result(finished_run: Path) -> MakeResult:
    """Results of a real run, with another name, seed and lift."""
    plain = result_of(read_checkpoint_card(finished_run), wall_s=90.0)

    def make(
        architecture: str = "memory",
        seed: int = 0,
        lift: tuple[float, float | None, float | None] = (0.0, -0.01, 0.01),
    ) -> dict[str, Any]:
        result = deepcopy(plain)
        result |= {
            "name": f"tiny-{architecture}-{seed}",
            "architecture": architecture,
            "seed": seed,
        }
        for pool in result["evaluation"]["pools"]:
            pool["lift"] = dict(zip(("value", "low", "high"), lift, strict=True))
        return result

    return make


@pytest.fixture
def make_foreign(make_result: MakeResult) -> MakeResult:
    """Results of a model of another library on the same windows."""

    def make(**told: object) -> dict[str, Any]:
        own = make_result(lift=(0.02, 0.01, 0.04))
        return {
            "model": "SASRec",
            "library": "a library 1.0",
            "fingerprint": own["corpus"]["fingerprint"],
            "settings": {"seed": 0},
            **{
                name: own[name]
                for name in ("k", "seed", "split", "evaluation", "test_evaluation")
            },
        } | told

    return make
