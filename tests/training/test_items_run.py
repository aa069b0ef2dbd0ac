"""A whole run on item sequences."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus, CorpusCard
from nextvec.training.corpus.store import load_corpus, save_corpus
from nextvec.training.errors import CheckpointError, CorpusError
from nextvec.training.files import read_json
from nextvec.training.listener import Epoch, NullListener
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.rejudge import judge_checkpoint
from nextvec.training.run import train
from nextvec.training.run_folder import (
    BASELINE_SCORES,
    MARKDOWN,
    REPORT,
    SEQUENCES,
    WEIGHTS,
    is_finished,
)
from nextvec.training.vectors import l2_normalize

ITEMS = 48


class Interrupted(Exception):  # noqa: N818 - not an error of the code under test
    pass


class StopsAfter(NullListener):
    """Cuts a run off after an epoch, or at the first step after it."""

    def __init__(self, epoch: int, *, midway: bool) -> None:
        self.number, self.midway, self.is_due = epoch, midway, False

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == self.number:
            self.is_due = True
            if not self.midway:
                raise Interrupted

    def progress(self, done: int, total: int) -> None:
        if self.is_due and done == total // 2 + 1:
            raise Interrupted


@pytest.fixture(scope="module")
def sessions() -> Corpus:
    """Sessions that go through the items in leaps of 7, with a few accidents.

    Which item follows is a rule that no mean of the past can know; now and then there
    is one without a vector.
    """
    rng = np.random.default_rng(2)
    number, length = 80, 46
    start = rng.integers(ITEMS, size=number)
    rows = (start[:, None] + 7 * np.arange(length)) % ITEMS
    accident = rng.random(rows.shape)
    rows[accident < 0.05] = rng.integers(ITEMS, size=int((accident < 0.05).sum()))
    rows[accident > 0.99] = -1
    return Corpus(
        vectors=l2_normalize(rng.normal(size=(ITEMS, 16))),
        ids=[f"item{i}" for i in range(ITEMS)],
        rows=rows.ravel(),
        offsets=np.arange(number + 1) * length,
        document_ids=[f"session{s}" for s in range(number)],
        card=CorpusCard(name="sessions", encoder="none", source="made by a test"),
        kind="items",
        texts=[f"title {i}" for i in range(ITEMS)],
    )


@pytest.fixture(scope="module")
def item_config() -> TrainingConfig:
    return TrainingConfig(
        architecture="baseline",
        hidden_size=32,
        num_lags=4,
        bank_size=64,
        batch_size=8,
        warmup_steps=2,
        max_epochs=4,
        stride=3,
        lr=0.02,
        free_scale=1.0,
        dropout=0.0,
        input_dropout=0.0,
        gce_q=0.0,
        device="cpu",
    )


@pytest.fixture(scope="module")
def item_run(
    sessions: Corpus,
    item_config: TrainingConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("items")
    corpus = save_corpus(sessions, folder / "corpus")
    run = folder / "runs" / "items"
    return train(corpus, item_config, run, corpus_folder=folder / "corpus"), run


@pytest.mark.slow
def test_a_run_on_items_is_about_the_catalogue_and_hit_at_10(
    item_run: tuple[dict[str, Any], Path],
) -> None:
    card, _ = item_run

    assert (card["k"], card["selection_pool"]) == (10, "index")
    assert [pool["pool"] for pool in card["evaluation"]["pools"]] == ["index"]
    assert card["repeat_share"] < 0.2
    assert card["evaluation"]["excludes_context"] == (card["repeat_share"] < 0.01)
    assert card["evaluation"]["num_unseen"] > 0
    assert "popularity" in card["baselines"]
    assert "VSTAN(100, 10, 10)" in card["baselines"]
    bits = card["baseline_bits"]
    assert set(bits) == {
        name
        for name in card["baselines"]
        if name.startswith(("Kneser", "aggregate", "pop"))
    }
    assert min(one["value"] for one in bits.values()) < bits["popularity"]["value"] - 1
    assert card["diagnostics"]["misses_in_document"] is None
    names = [check["name"] for check in card["readiness"]["checks"]]
    assert names == [
        "no leaked window",
        "lift in index",
        "order matters",
        "restored weights",
    ]


@pytest.mark.slow
def test_a_run_on_items_leaves_its_hits_by_sequence(
    item_run: tuple[dict[str, Any], Path],
) -> None:
    card, run = item_run

    told = read_json(run / SEQUENCES)

    for part in ("evaluation", "test_evaluation"):
        (pool,) = card[part]["pools"]
        own = told[part]["pools"]["index"]
        assert sum(told[part]["windows"]) == pool["num_windows"]
        hits = sum(own["hits"]) / pool["num_windows"]
        assert hits == pytest.approx(pool["hit_at"]["10"]["value"])
        base = sum(own["baseline_hits"]) / pool["num_windows"]
        assert base == pytest.approx(pool["baseline_hit_at"]["10"])
        assert set(told[part]["ids"]) < {f"session{n}" for n in range(80)}


@pytest.mark.slow
def test_a_network_finds_the_rule_of_a_sequence(
    item_run: tuple[dict[str, Any], Path],
) -> None:
    card, _ = item_run

    assert card["best_epoch"] > 0
    assert card["best_score"] > card["history"][0]["score"] + 0.2


@pytest.mark.slow
def test_the_report_speaks_of_sequences(item_run: tuple[dict[str, Any], Path]) -> None:
    _, run = item_run

    for name in (REPORT, MARKDOWN):
        text = (run / name).read_text().replace("\\", "")
        assert "in 80 sequences" in text
        assert "Split by sequence" in text or "split by sequence" in text
        assert "targets are in no training sequence and count as misses" in text
        assert "lie in the right document" not in text
        assert "Hit@10 in the pool" in text
        assert "needs the fewest bits a target" in text
        assert "the logarithm of their probability (plain cosine" in text
        assert "hubness" not in text
        assert "title " in text


@pytest.mark.slow
def test_a_run_on_items_is_judged_again_as_it_was(
    item_run: tuple[dict[str, Any], Path],
) -> None:
    card, run = item_run

    judged = judge_checkpoint(run, None)

    assert read_json(run / BASELINE_SCORES)["bits"] == card["baseline_bits"]
    assert judged.is_own_corpus
    again = judged.evaluation.to_dict()["pools"][0]
    assert again["hit_at"]["10"]["value"] == pytest.approx(
        card["evaluation"]["pools"][0]["hit_at"]["10"]["value"]
    )


@pytest.mark.slow
def test_a_network_of_items_is_not_judged_on_other_sessions(
    item_run: tuple[dict[str, Any], Path], sessions: Corpus, tmp_path: Path
) -> None:
    _, run = item_run
    other = replace(sessions, rows=sessions.rows[::-1].copy())
    save_corpus(other, tmp_path / "other")

    with pytest.raises(CheckpointError, match="knows those of its own corpus alone"):
        judge_checkpoint(run, tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epoch", "midway"), [(0, False), (1, True), (2, False)], ids=str
)
def test_a_run_on_items_that_was_cut_off_goes_on_as_if_it_had_not(
    item_run: tuple[dict[str, Any], Path],
    item_config: TrainingConfig,
    tmp_path: Path,
    epoch: int,
    *,
    midway: bool,
) -> None:
    card, run = item_run
    corpus = load_corpus(Path(card["corpus"]["folder"]))
    with pytest.raises(Interrupted):
        train(corpus, item_config, tmp_path, listener=StopsAfter(epoch, midway=midway))
    assert not is_finished(tmp_path)

    again = train(corpus, item_config, tmp_path)

    assert (tmp_path / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()
    assert (tmp_path / SEQUENCES).read_bytes() == (run / SEQUENCES).read_bytes()
    told = ["best_epoch", "best_score", "evaluation", "test_evaluation", "baselines"]
    told += ["diagnostics", "readiness", "score", "model", "examples"]
    for name in told:
        assert again[name] == card[name]
    for mine, whole in zip(again["history"], card["history"], strict=True):
        assert mine | {"seconds": 0} == whole | {"seconds": 0}


@pytest.mark.slow
def test_an_untrained_network_of_items_is_as_good_as_popularity(
    sessions: Corpus, item_config: TrainingConfig, tmp_path: Path
) -> None:
    # so few events return that the context is no candidate: nothing is copied
    never = replace(sessions, rows=np.where(is_first(sessions), sessions.rows, -1))

    card = train(never, replace(item_config, max_epochs=0), tmp_path)

    assert card["repeat_share"] == 0
    assert not card["model"]["can_copy"]
    (pool,) = card["evaluation"]["pools"]
    popularity = card["baselines"]["popularity"]["index"]
    assert pool["hit_at"]["10"]["value"] == popularity
    # an item that training does not meet counts half an event, by both
    bits = card["baseline_bits"]["popularity"]["value"]
    assert pool["bits"]["value"] == pytest.approx(bits, abs=0.5)


def is_first(corpus: Corpus) -> np.ndarray:
    """Tell of every entry whether its item has not been in its sequence before."""
    found = np.zeros(len(corpus.rows), dtype=bool)
    for start, stop in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
        _, first = np.unique(corpus.rows[start:stop], return_index=True)
        found[start + first] = True
    return found


@pytest.mark.parametrize(
    ("split", "fits"),
    [
        ({"seed": 0, "validation": 0.15, "test": 0.25}, True),
        ({"seed": 1, "validation": 0.15, "test": 0.25}, False),
        ({"seed": 0, "validation": 0.2, "test": 0.25}, False),
    ],
)
def test_vectors_made_from_another_split_are_refused(
    sessions: Corpus,
    item_config: TrainingConfig,
    tmp_path: Path,
    split: dict[str, float],
    fits: bool,
) -> None:
    card = replace(sessions.card, vectors_split=split)
    save_corpus(replace(sessions, card=card), tmp_path / "corpus")
    corpus = load_corpus(tmp_path / "corpus")

    if fits:
        prepare(corpus, item_config, SharedCache(), NullListener())
        return
    with pytest.raises(CorpusError, match="made from the training sequences of split"):
        prepare(corpus, item_config, SharedCache(), NullListener())
