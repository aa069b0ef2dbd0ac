from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.config import TrainingConfig
from training.corpus.corpus import Corpus
from training.listener import NullListener
from training.preparation.best_baselines import BASELINE_SCORES, BASELINES
from training.preparation.preparation import GROUPS, SUITE, Preparation
from training.preparation.shared_cache import Shelf


def read_text(path: Path) -> str:
    text = path.read_text()
    if text == "damaged":
        msg = "damaged"
        raise ValueError(msg)
    return text


def test_what_one_run_made_another_finds_and_copies(tmp_path: Path) -> None:
    one, other = (Shelf(tmp_path / n, tmp_path / "shared") for n in ("one", "other"))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()

    one.write("figures", b"42")

    assert other.read("figures", read_text) == "42"
    assert (tmp_path / "other" / "figures").read_text() == "42"
    assert other.read("missing", read_text) is None


def test_a_damaged_copy_is_replaced_by_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shelf = Shelf(tmp_path / "run", tmp_path / "shared")
    shelf.write("figures", b"42")
    (tmp_path / "run" / "figures").write_text("damaged")

    assert shelf.read("figures", read_text) == "42"
    assert (tmp_path / "run" / "figures").read_text() == "42"

    for folder in ("run", "shared"):
        (tmp_path / folder / "figures").write_text("damaged")
    assert shelf.read("figures", read_text) is None


def test_without_a_shared_folder_a_run_keeps_to_itself(tmp_path: Path) -> None:
    Shelf(tmp_path).write("figures", b"42")

    assert Shelf(tmp_path).read("figures", read_text) == "42"
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_while_another_run_makes_the_same_a_run_waits(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shared = tmp_path / "shared"
    one, other = Shelf(tmp_path / "run", shared), Shelf(tmp_path / "run", shared)
    order = []
    with ExitStack() as stack:
        stack.enter_context(one.locked(lambda: pytest.fail("nobody is there")))

        def wait() -> None:
            order.append("waits")
            one.write("figures", b"42")
            stack.close()

        with other.locked(wait):
            order.append(str(other.read("figures", read_text)))

    assert order == ["waits", "42"]


def test_a_run_that_shares_nothing_waits_for_nobody(tmp_path: Path) -> None:
    with Shelf(tmp_path).locked(lambda: pytest.fail("nobody is there")):
        assert list(tmp_path.iterdir()) == []


class Stages(NullListener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def stage(self, what: str) -> None:
        self.heard.append(what)


@pytest.mark.slow
def test_runs_on_one_ground_measure_the_baselines_once(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    heard, found = [], []
    configs = [
        tiny_config,
        replace(tiny_config, seed=5, architecture="linear", lr=1.0),
        replace(tiny_config, split_seed=1),
        replace(tiny_config, transform="identity"),
    ]
    for number, config in enumerate(configs):
        folder = tmp_path / str(number)
        folder.mkdir()
        stages = Stages()
        prepared = Preparation(tiny_corpus, config, folder, stages, shared=shared)
        found.append(prepared.best_baselines())
        heard.append("measuring the baselines" in stages.heard)
        for name in (GROUPS, SUITE, BASELINES, BASELINE_SCORES):
            assert (folder / name).exists(), name

    assert heard == [True, False, True, True]
    assert found[0].scores == found[1].scores
    for pool, ranks in found[0].ranks.items():
        np.testing.assert_array_equal(ranks, found[1].ranks[pool])
