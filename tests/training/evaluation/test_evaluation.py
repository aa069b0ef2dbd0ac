from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from nextvec.training.corpus.corpus import Corpus
from nextvec.training.corpus.split import split_documents
from nextvec.training.corpus.split_config import SplitConfig
from nextvec.training.corpus.windows import Windows
from nextvec.training.evaluation.baselines import fit_baselines
from nextvec.training.evaluation.evaluation import Judge, pool_result
from nextvec.training.evaluation.metrics import hit_at_k, mrr_at_k
from nextvec.training.evaluation.pools import Pool
from nextvec.training.evaluation.ranking import Ranker
from nextvec.training.evaluation.suite import build_suite
from nextvec.training.reporting.diagnosis import no_better_than_copying
from nextvec.training.vectors import Float32, l2_normalize

MakeCorpus = Callable[..., Corpus]


@pytest.fixture(scope="module")
def judged(make_corpus: MakeCorpus) -> tuple[Judge, torch.Tensor]:
    # documents without a topic: only what came last says what comes next
    walks = make_corpus([130] * 40, dim=24)
    centered = walks.vectors.reshape(40, 130, 24)
    centered = centered - centered.mean(axis=1, keepdims=True)
    corpus = replace(walks, vectors=l2_normalize(centered.reshape(-1, 24)))
    groups = np.arange(len(corpus.vectors))
    # sixteen documents for validation: enough for intervals
    split = split_documents(corpus, SplitConfig(validation=0.4))
    suite = build_suite(corpus, split, groups, "validation", stride=2)
    vectors = torch.from_numpy(np.asarray(corpus.vectors))
    return Judge(vectors, groups, suite), vectors


def test_the_targets_themselves_always_hit(
    judged: tuple[Judge, torch.Tensor],
) -> None:
    judge, vectors = judged

    evaluation = judge.evaluate(
        vectors[torch.from_numpy(judge.suite.windows.target_rows)]
    )

    assert [pool.pool for pool in evaluation.pools] == ["targets", "documents", "index"]
    for pool in evaluation.pools:
        assert pool.hit_at[1].value == pool.mrr_at_10 == 1.0
        assert pool.lift is None
        assert pool.baseline is None
        assert pool.baseline_hit_at is None
    assert evaluation.mean_cosine == pytest.approx(1)


def test_shuffled_targets_hit_by_chance(judged: tuple[Judge, torch.Tensor]) -> None:
    judge, vectors = judged
    windows = judge.suite.windows
    # targets of another document, so that no topic is shared
    other = np.roll(windows.target_rows, len(windows) // 3)
    assert (windows.documents != np.roll(windows.documents, len(windows) // 3)).all()

    evaluation = judge.evaluate(vectors[torch.from_numpy(other)])

    for pool in evaluation.pools:
        chance = 5 / pool.num_candidates
        assert pool.hit_at[5].value <= chance + 0.02


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_passages_dealt_anew_give_chance_to_what_is_fitted_on_them(
    make_corpus: MakeCorpus, rng: np.random.Generator, is_shuffled: bool
) -> None:
    corpus = make_corpus([130] * 30)
    vectors = corpus.vectors
    if is_shuffled:
        vectors = rng.permutation(vectors)
    corpus = replace(corpus, vectors=vectors)
    groups = np.arange(len(vectors))
    split = split_documents(corpus, SplitConfig(validation=0.4))
    suite = build_suite(corpus, split, groups, "validation", stride=2)
    vectors_ND = torch.from_numpy(vectors)
    judge = Judge(vectors_ND, groups, suite)
    contexts = torch.from_numpy(suite.windows.contexts(vectors))
    lengths = torch.from_numpy(suite.windows.lengths)

    hits = {
        baseline.name: hit_at_k(baseline.ranks(judge, contexts, lengths)["index"], 5)
        for baseline in fit_baselines(vectors_ND, corpus, split.train)
    }

    chance = 5 / len(vectors)
    if is_shuffled:
        # the best of 26 on a few hundred windows
        assert max(hits.values()) < chance + 0.02
    else:
        assert hits["ridge(0.1)"] > 20 * chance


def test_random_labels_give_a_uniform_rank(rng: np.random.Generator) -> None:
    vectors = torch.from_numpy(rng.normal(size=(400, 8)).astype(np.float32))

    targets = rng.integers(1, 400, size=2000)
    windows = Windows(
        context_rows=np.zeros((2000, 1), dtype=np.int64),
        lengths=np.ones(2000, dtype=np.int64),
        target_rows=targets,
        documents=np.arange(2000),
        positions=np.arange(2000),
    )
    pool = Pool(name="index", rows=np.arange(400))
    predictions = torch.from_numpy(rng.normal(size=(2000, 8)).astype(np.float32))

    ranks = Ranker(vectors, np.arange(400), windows, pool).ranks(predictions)

    assert hit_at_k(ranks, 40) == pytest.approx(40 / 399, abs=0.02)
    assert ranks.mean() == pytest.approx(200, rel=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_vector_plus_a_constant_is_no_better_than_the_last_vector(
    judged: tuple[Judge, torch.Tensor], seed: int
) -> None:
    judge, vectors = judged
    context_rows = judge.suite.windows.context_rows[:, -1]
    last = vectors[torch.from_numpy(context_rows)]
    generator = torch.Generator().manual_seed(seed)
    constant = 0.5 * normalize(torch.randn(24, generator=generator), dim=-1)
    copy = {name: ("copy-last", ranks) for name, ranks in judge.ranks(last).items()}

    evaluation = judge.evaluate(normalize(last + constant, dim=-1), copy)

    for pool in evaluation.pools:
        assert pool.lift is not None
        assert -1 < pool.lift.low <= 0
        assert pool.baseline == "copy-last"
    finding = no_better_than_copying({"evaluation": evaluation.to_dict()})
    assert finding is not None
    assert "“copy-last”" in finding.sentence
    for pool in evaluation.pools:
        assert pool.pool in finding.sentence


def test_what_adds_of_the_target_to_the_last_vector_is_better_than_copying(
    judged: tuple[Judge, torch.Tensor],
) -> None:
    judge, vectors = judged
    windows = judge.suite.windows
    last = vectors[torch.from_numpy(windows.context_rows[:, -1])]
    target = vectors[torch.from_numpy(windows.target_rows)]
    copy = {name: ("copy-last", ranks) for name, ranks in judge.ranks(last).items()}

    evaluation = judge.evaluate(normalize(last + 0.4 * target, dim=-1), copy)

    for pool in evaluation.pools:
        assert pool.lift is not None
        assert pool.lift.low > 0
    assert no_better_than_copying({"evaluation": evaluation.to_dict()}) is None


def test_the_lift_is_the_difference_on_the_same_windows(
    judged: tuple[Judge, torch.Tensor],
) -> None:
    judge, vectors = judged
    windows = judge.suite.windows
    target = vectors[torch.from_numpy(windows.target_rows)]
    last = vectors[torch.from_numpy(windows.context_rows[:, -1])]
    predictions = normalize(last + 0.4 * target, dim=-1)

    evaluation = judge.evaluate(
        predictions, {"index": ("last", judge.ranks(last)["index"])}
    )

    documents, index = evaluation.pool("documents"), evaluation.pool("index")
    assert documents is not None
    assert index is not None
    assert documents.lift is None
    ranker = judge.rankers["index"]
    gained = hit_at_k(ranker.ranks(predictions), 5) - hit_at_k(ranker.ranks(last), 5)
    assert index.lift is not None
    assert index.lift.value == pytest.approx(gained)
    assert gained > 0
    assert 0 < index.lift.low < gained < index.lift.high
    assert index.baseline_hit_at == {
        k: hit_at_k(ranker.ranks(last), k) for k in (1, 5, 10)
    }
    assert evaluation.mean_cosine == pytest.approx(
        float(cosine_similarity(predictions, target).mean()), abs=1e-6
    )


def test_a_prediction_that_copies_hits_less_where_copies_are_candidates(
    judged: tuple[Judge, torch.Tensor],
) -> None:
    judge, vectors = judged
    last = vectors[torch.from_numpy(judge.suite.windows.context_rows[:, -1])]

    evaluation = judge.evaluate(last)

    for pool in evaluation.pools:
        included = pool.hit_context_included
        if pool.pool == "targets":
            assert included is None
        else:
            assert included is not None
            assert included < pool.hit_at[5].value


def test_a_result_holds_the_metrics_of_its_ranks() -> None:
    ranks = np.array([1, 4, 7, 30])
    pool = Pool(name="index", rows=np.arange(50))

    result = pool_result(pool, ranks, np.array([0, 0, 1, 1]), k=5)

    assert (result.num_candidates, result.num_windows) == (50, 4)
    assert {k: e.value for k, e in result.hit_at.items()} == {1: 0.25, 5: 0.5, 10: 0.75}
    assert result.mrr_at_10 == mrr_at_k(ranks)


@pytest.mark.parametrize(("k", "lift"), [(5, 0.25), (10, 0.0)])
def test_the_lift_is_taken_at_the_headline_s_cut_off(k: int, lift: float) -> None:
    pool = Pool(name="index", rows=np.arange(50))

    result = pool_result(
        pool,
        np.array([1, 4, 7, 30]),
        np.array([0, 0, 1, 1]),
        k=k,
        baseline="copy-last",
        baseline_rank_Q=np.array([6, 9, 2, 40]),
    )

    assert result.lift is not None
    assert result.lift.value == lift
    assert result.baseline_hit_at == {1: 0.0, 5: 0.25, 10: 0.75}


def test_plain_types_name_the_cut_offs_as_text(
    judged: tuple[Judge, torch.Tensor],
) -> None:
    judge, vectors = judged
    target = vectors[torch.from_numpy(judge.suite.windows.target_rows)]

    itself = judge.ranks(target)["index"]
    plain = judge.evaluate(target, {"index": ("itself", itself)}).to_dict()

    index = plain["pools"][2]
    assert list(index["hit_at"]) == list(index["baseline_hit_at"]) == ["1", "5", "10"]
    assert index["lift"]["value"] == 0.0
    assert plain["pools"][0]["baseline_hit_at"] is None


def test_a_pool_that_was_not_measured_is_none(
    make_corpus: MakeCorpus,
) -> None:
    corpus = make_corpus([110] * 4, dim=6)
    groups = np.arange(440)
    split = split_documents(corpus, SplitConfig())
    suite = build_suite(corpus, split, groups, "validation")
    vectors: Float32 = np.asarray(corpus.vectors)
    judge = Judge(torch.from_numpy(vectors), groups, suite)

    evaluation = judge.evaluate(torch.ones(len(suite.windows), 6))

    assert evaluation.pool("targets") is None
    assert evaluation.pool("index") is not None
