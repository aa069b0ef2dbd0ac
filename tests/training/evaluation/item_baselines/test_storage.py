from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from nextvec.training.errors import CheckpointError
from nextvec.training.evaluation.item_baselines.aggregate_markov import (
    fit_aggregate_markov,
)
from nextvec.training.evaluation.item_baselines.kneser_ney import fit_kneser_ney
from nextvec.training.evaluation.item_baselines.linear import fit_regressions
from nextvec.training.evaluation.item_baselines.neighbors import fit_neighbors
from nextvec.training.evaluation.item_baselines.rules import fit_rules
from nextvec.training.evaluation.item_baselines.storage import (
    baseline_bytes,
    load_baseline,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nextvec.training.evaluation.item_baselines.scored import ItemBaseline
    from tests.training.evaluation.item_baselines.conftest import (
        MakeSequences,
        MakeWindows,
    )

SEQUENCES = [[0, 1, 2, 3, 0, 1], [1, 2, 3, 4, 2, 2], [4, 0, 1, 3, 3, 0], [2, 1, 0]]


def test_what_is_read_scores_as_what_was_written(
    sequences_of: MakeSequences, windows_of: MakeWindows, tmp_path: Path
) -> None:
    corpus, train = sequences_of(SEQUENCES, 5), np.arange(len(SEQUENCES))
    fitted: list[ItemBaseline] = [
        *fit_rules(corpus, train),
        *fit_regressions(corpus, train),
        *fit_neighbors(corpus, train),
        *fit_kneser_ney(corpus, train),
        *fit_aggregate_markov(corpus, train),
    ]
    windows = windows_of([[0, 1], [4, 2, 3], [2]])
    path = tmp_path / "kept.safetensors"

    for baseline in fitted:
        path.write_bytes(baseline_bytes(baseline))
        read = load_baseline(path)

        assert type(read) is type(baseline)
        np.testing.assert_array_equal(read.scores(windows), baseline.scores(windows))
        for field in dataclasses.fields(baseline):  # type: ignore[arg-type]
            value = getattr(baseline, field.name)
            if isinstance(value, str | int | float):
                assert getattr(read, field.name) == value


@pytest.mark.parametrize(
    "told",
    [
        "not even JSON",
        "{}",
        '{"is": "Popen", "holds": {}}',
        '{"is": "Rules", "holds": {"reach": 1}}',
        '{"is": "Rules", "holds": {"reach": {"array": "b"}}}',
        '{"array": "a"}',
    ],
)
def test_a_file_that_is_no_baseline_is_refused(told: str, tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"a": np.zeros(3)}, path, metadata={"item_baseline": told})

    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        load_baseline(path)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3)}, other)

    for path in (tmp_path / "nothing", other):
        with pytest.raises(CheckpointError, match="not a whole baseline of items"):
            load_baseline(path)
