from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.duplicates import duplicate_groups
from nextvec.training.corpus.split import Split, split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.errors import CorpusError
from nextvec.training.evaluation.evaluation import Judge
from nextvec.training.evaluation.readiness import assess
from nextvec.training.evaluation.statistics import Estimate
from nextvec.training.evaluation.suite import Suite, build_suite, leaked_windows
from nextvec.training.vectors import l2_normalize

MakeCorpus = Callable[..., Corpus]


def plant_leak(
    corpus: Corpus,
    split: Split,
    passages: range,
    *,
    noise: float = 1e-4,
    source: int = 0,
) -> Corpus:
    """Copy passages of a training document into the first one of validation."""
    rng = np.random.default_rng(0)
    leaking = corpus.sequence(int(split.train[source]))[list(passages)]
    target = corpus.sequence(int(split.validation[0]))[list(passages)]
    vectors = np.array(corpus.vectors)
    vectors[target] = l2_normalize(
        vectors[leaking] + noise * rng.normal(size=(len(leaking), corpus.dim))
    )
    return replace(corpus, vectors=vectors)


def suite_of(corpus: Corpus, split: Split, *, stride: int = 1) -> Suite:
    groups = duplicate_groups(corpus.vectors)
    return build_suite(corpus, split, groups, "validation", stride=stride)


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus([150] * 12, dim=12)


@pytest.fixture
def split(corpus: Corpus) -> Split:
    return split_documents(corpus, SplitConfig())


def test_without_a_leak_nothing_is_left_out(corpus: Corpus, split: Split) -> None:
    suite = suite_of(corpus, split)

    assert suite.num_leaked == 0
    assert suite.leaked_share == 0
    assert suite.is_clean
    assert len(suite.windows) == 50 * len(split.validation)


@pytest.mark.parametrize("source", [0, -1])
def test_a_planted_leak_is_found_counted_and_left_out(
    corpus: Corpus, split: Split, source: int
) -> None:
    leaked = plant_leak(corpus, split, range(110, 130), source=source)

    suite = suite_of(leaked, split)

    assert suite.num_leaked == 20
    assert len(suite.windows) == 50 * len(split.validation) - 20
    spoiled = leaked.sequence(int(split.validation[0]))[110:130]
    assert not set(spoiled.tolist()) & set(suite.windows.target_rows.tolist())
    assert suite.leaked_share == pytest.approx(20 / (50 * len(split.validation)))
    assert not suite.is_clean


def test_a_leak_of_few_windows_is_counted_and_borne(
    corpus: Corpus, split: Split
) -> None:
    suite = suite_of(plant_leak(corpus, split, range(110, 112)), split)

    assert suite.num_leaked == 2
    assert suite.leaked_share <= 0.05
    assert suite.is_clean


def test_a_leak_outside_the_targets_leaves_the_windows_alone(
    corpus: Corpus, split: Split
) -> None:
    suite = suite_of(plant_leak(corpus, split, range(60)), split)

    assert suite.num_leaked == 0


def test_passages_that_only_resemble_each_other_are_no_leak(
    corpus: Corpus, split: Split
) -> None:
    suite = suite_of(plant_leak(corpus, split, range(110, 130), noise=0.2), split)

    assert suite.num_leaked == 0


@pytest.mark.parametrize(
    ("passages", "is_met"), [(range(110, 130), False), (range(110, 111), True)]
)
def test_readiness_says_that_a_split_leaks(
    corpus: Corpus, split: Split, passages: range, is_met: bool
) -> None:
    leaked = plant_leak(corpus, split, passages)
    suite = suite_of(leaked, split)
    judge = Judge(
        torch.from_numpy(leaked.vectors), duplicate_groups(leaked.vectors), suite
    )
    targets = torch.from_numpy(leaked.vectors[suite.windows.target_rows])

    evaluation = judge.evaluate(targets)
    readiness = assess(
        evaluation,
        shuffled_loss=Estimate(value=0.5, low=0.4, high=0.6),
        recorded_score=1.0,
        restored_score=1.0,
    )

    check = readiness.checks[0]
    assert check.name == "no leaked window"
    assert check.is_met == is_met == evaluation.is_clean
    assert check.found == f"{len(passages)} left out, 0 of test"
    assert evaluation.num_leaked == len(passages)
    assert not readiness.is_go


def test_a_copied_document_leaves_no_window(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([150] * 3, dim=12)
    split = split_documents(corpus, SplitConfig())
    leaked = plant_leak(corpus, split, range(150), noise=0)

    with pytest.raises(CorpusError, match="no validation window is left of 50"):
        suite_of(leaked, split)


def test_items_are_shared_on_purpose(make_items: MakeCorpus) -> None:
    corpus = make_items([130] * 6)
    split = split_documents(corpus, SplitConfig())

    suite = build_suite(corpus, split, np.arange(40), "validation")

    assert suite.num_leaked == 0
    assert not leaked_windows(corpus, split.train, np.arange(40), suite.windows).any()


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_suite_is_of_the_documents_of_its_part(
    corpus: Corpus, split: Split, part: str
) -> None:
    suite = build_suite(corpus, split, np.arange(1800), part, stride=7)

    assert suite.part == part
    assert suite.stride == 7
    assert set(suite.windows.documents.tolist()) == set(split.part(part).tolist())
    assert [pool.name for pool in suite.pools] == ["targets", "documents", "index"]
    assert suite.pool("documents").size == 150 * len(split.part(part))


def test_a_pool_the_corpus_is_too_small_for_is_named(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus([110] * 4, dim=12)
    split = split_documents(corpus, SplitConfig())

    suite = suite_of(corpus, split)

    assert [pool.name for pool in suite.pools] == ["documents", "index"]
    with pytest.raises(CorpusError, match="pool 'targets' needs more passages"):
        suite.pool("targets")
