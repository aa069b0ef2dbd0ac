from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.listener import NullListener
from nextvec.training.preparation.cache_key import cache_key, corpus_key
from nextvec.training.preparation.kept_baselines import best_baselines
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import Entry, SharedCache
from nextvec.training.run_folder import BASELINE_SCORES, BASELINES, GROUPS, VALIDATION
from tests.conftest import documents_corpus

SUM: Entry[int] = Entry(
    files=("sum",),
    dump=lambda number: {"sum": str(number).encode()},
    load=lambda folder: int((folder / "sum").read_text()),
)
PAIR: Entry[tuple[str, str]] = Entry(
    files=("left", "right"),
    dump=lambda pair: {"left": pair[0].encode(), "right": pair[1].encode()},
    load=lambda folder: ((folder / "left").read_text(), (folder / "right").read_text()),
)


def never() -> int:
    pytest.fail("it is kept")


@pytest.fixture
def cache_of(tmp_path: Path) -> Callable[[str], SharedCache]:
    """Caches of runs that share a folder."""

    def make(run: str) -> SharedCache:
        (tmp_path / run).mkdir(exist_ok=True)
        return SharedCache(tmp_path / run, tmp_path / "shared")

    return make


CacheOf = Callable[[str], SharedCache]


def test_what_one_run_made_another_finds_and_copies(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    assert cache_of("one").get(SUM, lambda: 42, key="key") == 42

    assert cache_of("other").get(SUM, never, key="key") == 42
    assert (tmp_path / "other" / "sum").read_text() == "42"
    assert cache_of("third").get(SUM, lambda: 7, key="another key") == 7


def test_what_a_killed_run_left_in_the_shared_folder_goes(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    left = tmp_path / "shared" / "key" / ".sum.0123abcd.tmp"
    left.parent.mkdir(parents=True)
    left.write_text("4")

    cache_of("one").get(SUM, lambda: 42, key="key")

    assert not left.exists()


def test_without_a_key_a_thing_is_kept_for_one_run(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    assert cache_of("one").get(SUM, lambda: 42) == 42

    assert cache_of("one").get(SUM, never) == 42
    assert cache_of("other").get(SUM, lambda: 7) == 7
    assert not (tmp_path / "shared").exists()


def test_a_damaged_copy_is_replaced_by_the_shared_one(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    cache = cache_of("run")
    cache.get(SUM, lambda: 42, key="key")
    own, shared = (tmp_path / part / "sum" for part in ("run", "shared/key"))
    own.write_text("damaged")

    assert cache.get(SUM, never, key="key") == 42
    assert own.read_text() == "42"

    for path in (own, shared):
        path.write_text("damaged")
    assert cache.get(SUM, lambda: 7, key="key") == 7
    assert own.read_text() == shared.read_text() == "7"


def test_files_that_belong_together_are_taken_together(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    cache = cache_of("run")
    cache.get(PAIR, lambda: ("a", "b"), key="key")
    (tmp_path / "run" / "left").write_text("of another pair")
    (tmp_path / "run" / "right").unlink()

    assert cache.get(PAIR, lambda: ("?", "?"), key="key") == ("a", "b")
    assert (tmp_path / "run" / "left").read_text() == "a"


def test_without_a_shared_folder_a_run_keeps_to_itself(tmp_path: Path) -> None:
    assert SharedCache(tmp_path).get(SUM, lambda: 42, key="key") == 42

    assert SharedCache(tmp_path).get(SUM, never, key="key") == 42
    assert [path.name for path in tmp_path.iterdir()] == ["sum"]


def test_without_a_folder_nothing_is_kept() -> None:
    cache = SharedCache()

    assert cache.get(SUM, lambda: 42, key="key") == 42
    assert cache.get(SUM, lambda: 7, key="key") == 7


class Waiting(NullListener):
    """Lets another run go on as soon as this one says that it waits for it."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.is_waiting = Event()

    def stage(self, what: str) -> None:
        self.stages.append(what)
        self.is_waiting.set()


def test_while_another_run_makes_the_same_a_run_waits(
    cache_of: CacheOf, tmp_path: Path
) -> None:
    listener, has_begun = Waiting(), Event()
    (tmp_path / "other").mkdir()
    other = SharedCache(tmp_path / "other", tmp_path / "shared", listener)

    def slowly() -> int:
        has_begun.set()
        assert listener.is_waiting.wait(timeout=30)
        return 42

    with ThreadPoolExecutor() as pool:
        made = pool.submit(cache_of("one").get, SUM, slowly, key="key")
        assert has_begun.wait(timeout=30)
        found = other.get(SUM, never, key="key")

    assert found == made.result() == 42
    assert listener.stages == ["waiting for another run that makes the same"]


class Stages(NullListener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def stage(self, what: str) -> None:
        self.heard.append(what)


@pytest.mark.slow
def test_runs_that_can_share_measure_the_baselines_once(
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
        cache = SharedCache(folder, shared, stages)
        prepared = prepare(tiny_corpus, config, cache, stages)
        found.append(best_baselines(prepared, cache, stages))
        heard.append("measuring the baselines" in stages.heard)
        for name in (GROUPS, VALIDATION, BASELINES, BASELINE_SCORES):
            assert (folder / name).exists(), name

    assert heard == [True, False, True, True]
    assert found[0].scores == found[1].scores
    for pool, ranks in found[0].ranks.items():
        np.testing.assert_array_equal(ranks, found[1].ranks[pool])
    keys = {corpus_key(tiny_corpus)}
    keys |= {cache_key(tiny_corpus, config) for config in configs}
    assert {path.name for path in shared.iterdir()} == keys
    assert len(keys) == 4


def test_the_names_of_what_is_shared_stay_what_they_were() -> None:
    corpus = documents_corpus(np.eye(4), [2, 2])

    # with others, what earlier runs left would be made anew
    assert corpus_key(corpus) == "218ddc51a895d710"
    assert cache_key(corpus, TrainingConfig()) == "6ce47cb82021fa8a"
