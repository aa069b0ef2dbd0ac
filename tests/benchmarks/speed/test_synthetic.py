"""Bundles made to be measured: whole, of full size, and equal in what they answer."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.servers.answering import BUNDLE, Answering, K
from benchmarks.speed.loading import stages
from benchmarks.speed.synthetic import BEST, PLAIN, make_bundles
from nextvec.app.inference.golden import open_engine


@pytest.mark.slow
def test_both_bundles_run_the_network_over_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {"best": BEST, "plain": PLAIN}

    made = make_bundles(tmp_path, ways, rows=7100, dim=8, hidden_size=16)

    best, plain = (open_engine(made[name]) for name in ways)
    assert len(best.bundle.index) == len(plain.bundle.index) == 7200
    assert best.bundle.serves == "memory"
    assert best.bundle.checkpoint.model.config.hidden_size == 16
    assert (plain.name, plain.bundle.index.kind) == ("eager", "flat")
    assert best.bundle.index.kind == "flat-int8"
    # what another server is given answers as the bundle does
    monkeypatch.setenv(BUNDLE, str(made["plain"]))
    answering = Answering()
    searched_TD = np.array(plain.bundle.index.vectors[300:400])
    context_TD = plain.bundle.checkpoint.transform.invert(searched_TD)
    (found,) = answering(context_TD[None])
    assert len(set(found["ids"])) == K
    assert not set(found["ids"]) & {*plain.bundle.catalogue.ids[300:400]}
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert list(stages(made["best"]))[-1] == "first answers, 1 to 32 at once"
