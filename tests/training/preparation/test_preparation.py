from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.metrics import hit_at_k
from nextvec.training.listener import Listener, NullListener
from nextvec.training.preparation.best_baselines import BestBaselines, by_name
from nextvec.training.preparation.kept_baselines import (
    baselines_on_test,
    best_baselines,
)
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.run_folder import BASELINE_SCORES, BASELINES, GROUPS, VALIDATION
from nextvec.training.transform import Transform

Prepared = tuple[Preparation, BestBaselines]


def prepare_in(
    folder: Path,
    corpus: Corpus,
    config: TrainingConfig,
    listener: Listener | None = None,
) -> Prepared:
    """Prepare a run in a folder, its baselines included."""
    listener = listener or NullListener()
    cache = SharedCache(folder)
    prepared = prepare(corpus, config, cache, listener)
    return prepared, best_baselines(prepared, cache, listener)


class Interrupted(Exception):  # noqa: N818 - not an error of the code under test
    pass


class Interrupting(NullListener):
    """Stops at a stage, or within one; remembers what it heard."""

    def __init__(self, stage: str = "", *, after: int = 0) -> None:
        self.where, self.after = stage, after
        self.stages: list[str] = []

    def stage(self, what: str) -> None:
        self.stages.append(what)
        if what == self.where and not self.after:
            raise Interrupted

    def progress(self, done: int, total: int) -> None:
        assert 0 < done <= total
        if self.after and self.stages[-1] == self.where and done >= self.after:
            raise Interrupted


def assert_same(left: BestBaselines, right: BestBaselines) -> None:
    assert left.names == right.names
    assert left.scores == right.scores
    assert left.bits == right.bits
    assert left.base == right.base
    for pool, ranks in right.ranks.items():
        np.testing.assert_array_equal(left.ranks[pool], ranks)


@pytest.fixture(scope="module")
def whole(
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Prepared:
    return prepare_in(tmp_path_factory.mktemp("whole"), tiny_corpus, tiny_config)


@pytest.mark.parametrize(
    "interrupting",
    [
        pytest.param(
            lambda: Interrupting("fitting the transform, cutting windows"),
            id="after the groups",
        ),
        pytest.param(
            lambda: Interrupting("measuring the baselines"), id="after the windows"
        ),
        pytest.param(
            lambda: Interrupting("measuring the baselines", after=7),
            id="within the baselines",
        ),
    ],
)
def test_an_interrupted_preparation_goes_on_to_the_same_end(
    whole: Prepared,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    interrupting: type[Interrupting],
) -> None:
    with pytest.raises(Interrupted):
        prepare_in(tmp_path, tiny_corpus, tiny_config, interrupting())

    again, again_baselines = prepare_in(tmp_path, tiny_corpus, tiny_config)

    prepared, baselines = whole
    assert np.array_equal(again.groups, prepared.groups)
    assert np.array_equal(again.train_rows, prepared.train_rows)
    assert torch.equal(again.vectors, prepared.vectors)
    windows = again.suite.windows
    assert np.array_equal(windows.context_rows, prepared.suite.windows.context_rows)
    assert_same(again_baselines, baselines)


def test_what_is_finished_is_not_made_again(
    whole: Prepared,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare_in(tmp_path, tiny_corpus, tiny_config)
    listener = Interrupting("measuring the baselines")

    def refuse(*_: object, **__: object) -> None:
        raise Interrupted

    for name in (
        "preparing.groups_of",
        "preparing.build_suite",
        "preparation.fit_baselines",
    ):
        monkeypatch.setattr(f"nextvec.training.preparation.{name}", refuse)
    _, again = prepare_in(tmp_path, tiny_corpus, tiny_config, listener)

    assert_same(again, whole[1])
    assert "measuring the baselines" not in listener.stages


@pytest.mark.parametrize("name", [GROUPS, VALIDATION, BASELINES, BASELINE_SCORES])
def test_a_file_that_was_cut_off_is_made_again(
    whole: Prepared,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    name: str,
) -> None:
    prepare_in(tmp_path, tiny_corpus, tiny_config)
    path = tmp_path / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    _, again = prepare_in(tmp_path, tiny_corpus, tiny_config)

    assert_same(again, whole[1])
    assert path.read_bytes() == data


def test_the_best_baseline_of_each_pool_is_chosen_on_validation(
    whole: Prepared,
) -> None:
    prepared, baselines = whole
    context_QTD, length_Q = prepared.context(prepared.suite.windows)

    named = by_name(prepared.fitted_baselines)

    # a memory is tried beside one mean
    assert len(baselines.scores) == len(prepared.fitted_baselines) + 8
    assert set(baselines.scores) <= set(named)
    for pool, name in baselines.names.items():
        best = max(scores[pool] for scores in baselines.scores.values())
        assert baselines.scores[name][pool] == best
        ranks = named[name].ranks(prepared.judge, context_QTD, length_Q)[pool]
        np.testing.assert_array_equal(ranks, baselines.ranks[pool])
        assert hit_at_k(ranks, 5) == best
    assert dict(baselines.paired()) == {
        pool: (name, baselines.ranks[pool]) for pool, name in baselines.names.items()
    }


def test_test_windows_are_judged_in_the_pools_of_both_parts(
    whole: Prepared,
) -> None:
    prepared, baselines = whole
    suite = prepared.suite
    small = replace(suite, pools=suite.pools[1:])

    # whichever of the parts is too small for a pool
    assert suite.in_pools_of(small) == small
    assert small.in_pools_of(suite) == small
    judge = Judge(prepared.vectors, prepared.groups, small)
    found = baselines_on_test(prepared, baselines, judge, SharedCache())

    assert list(found) == [pool.name for pool in small.pools]
    assert len(found) < len(baselines.names)


def test_ranks_of_other_pools_are_made_again(whole: Prepared, tmp_path: Path) -> None:
    prepared, baselines = whole
    cache, suite = SharedCache(tmp_path), prepared.suite
    small = replace(suite, pools=suite.pools[1:])
    for windows in (suite, small, suite):
        judge = Judge(prepared.vectors, prepared.groups, windows)

        found = baselines_on_test(prepared, baselines, judge, cache)

        # the windows are those of validation, so the ranks are known
        for pool, (name, rank_Q) in found.items():
            assert name == baselines.names[pool]
            np.testing.assert_array_equal(rank_Q, baselines.ranks[pool])
        assert list(found) == [pool.name for pool in windows.pools]


def test_without_a_folder_nothing_is_written(
    whole: Prepared,
    tiny_corpus: Corpus,
    tiny_config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    cache, listener = SharedCache(), NullListener()

    prepared = prepare(tiny_corpus, tiny_config, cache, listener)

    assert_same(best_baselines(prepared, cache, listener), whole[1])
    assert not list(tmp_path.iterdir())


def test_the_base_is_the_best_closed_form_of_the_selection_pool(
    whole: Prepared,
) -> None:
    _, baselines = whole
    means = {
        name: scores["documents"]
        for name, scores in baselines.scores.items()
        if "EWMA" in name or name.startswith("copy-last")
    }

    assert len(means) > 16
    assert any("memory" in name for name in means)
    assert means[baselines.base.name] == max(means.values())


def test_contexts_are_in_the_searched_space(
    whole: Prepared,
) -> None:
    prepared, _ = whole
    windows = prepared.suite.windows

    context_QTD, length_Q = prepared.context(windows)

    expected = prepared.transform.apply(
        prepared.corpus.vectors[windows.context_rows[0]]
    )
    np.testing.assert_allclose(context_QTD[0].numpy(), expected, atol=1e-5)
    assert length_Q.tolist() == windows.lengths.tolist()


def test_no_row_of_validation_or_test_is_trained_on(
    whole: Prepared,
) -> None:
    prepared, _ = whole

    documents = set(prepared.corpus.document_of_row[prepared.train_rows].tolist())

    assert documents == set(prepared.split.train.tolist())


def test_a_transform_that_is_given_is_not_fitted(
    tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    given = Transform.identity(tiny_corpus.dim)

    prepared = prepare(
        tiny_corpus, tiny_config, SharedCache(), NullListener(), transform=given
    )

    assert prepared.transform is given
    assert np.array_equal(prepared.vectors.numpy(), tiny_corpus.vectors)


def test_a_selection_pool_the_corpus_is_too_small_for_is_refused(
    tiny_corpus: Corpus, tiny_config: TrainingConfig
) -> None:
    small = tiny_corpus.select(range(4), name="small")
    config = replace(tiny_config, selection_pool="targets")

    cache, listener = SharedCache(), NullListener()
    prepared = prepare(small, config, cache, listener)

    with pytest.raises(CorpusError, match="pool 'targets' needs more passages"):
        best_baselines(prepared, cache, listener)


def test_what_is_learned_of_a_share_is_learned_of_a_larger_one(
    tiny_corpus: Corpus, tmp_path: Path
) -> None:
    prepared, _ = prepare_in(tmp_path, tiny_corpus, TrainingConfig())
    train = prepared.split.train

    def learned(share: float) -> set[int]:
        config = replace(prepared.config, train_share=share)
        return set(replace(prepared, config=config).learned.tolist())

    assert learned(1.0) == set(train.tolist())
    quarter, half = learned(0.25), learned(0.5)
    assert quarter < half < learned(1.0)
    assert len(half) == round(len(train) / 2)
    # a share too small for one still holds one
    assert len(learned(1e-9)) == 1


def test_what_the_best_baselines_reach_with_hubs_left_in_is_kept(
    tiny_corpus: Corpus, tiny_config: TrainingConfig, tmp_path: Path
) -> None:
    prepared, chosen = prepare_in(tmp_path, tiny_corpus, tiny_config)
    named = by_name(prepared.fitted_baselines)
    score = replace(prepared.score, curves={})
    plain = prepared.judge.searching(prepared.vectors, score)
    contexts = prepared.context(prepared.suite.windows)

    again = best_baselines(prepared, SharedCache(tmp_path), NullListener())

    assert chosen.plain == again.plain
    assert chosen.plain.keys() == chosen.names.keys()
    for pool, name in chosen.names.items():
        rank_Q = named[name].ranks(plain, *contexts)[pool]
        assert chosen.plain[pool] == hit_at_k(rank_Q, prepared.suite.k)
