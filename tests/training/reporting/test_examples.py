from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nextvec.training.checkpoint import read_checkpoint_card
from nextvec.training.config import TrainingConfig
from nextvec.training.corpus.corpus import Corpus
from nextvec.training.listener import NullListener
from nextvec.training.models.prediction import Prediction
from nextvec.training.preparation.preparation import Preparation
from nextvec.training.preparation.preparing import prepare
from nextvec.training.preparation.shared_cache import SharedCache
from nextvec.training.reporting.examples import MAX_TEXT, choose_examples, shorten

Prepare = Callable[[Corpus], Preparation]


@pytest.fixture
def preparation_of(tiny_config: TrainingConfig) -> Prepare:
    def make(corpus: Corpus) -> Preparation:
        return prepare(corpus, tiny_config, SharedCache(), NullListener())

    return make


def choose(prepared: Preparation, predicted: Tensor, *, seed: int) -> dict[str, Any]:
    return choose_examples(prepared, prepared.judge, Prediction(predicted), seed=seed)


def copy_last(prepared: Preparation) -> Tensor:
    windows = prepared.suite.windows
    last = windows.context_rows[np.arange(len(windows)), windows.lengths - 1]
    return prepared.vectors[torch.from_numpy(last)]


def with_texts(corpus: Corpus) -> Corpus:
    texts = [f"text\nof {name} " + "x" * 400 for name in corpus.ids]
    return replace(corpus, texts=texts)


def test_hits_come_first_then_misses_of_the_very_ranks_that_are_measured(
    preparation_of: Prepare, tiny_corpus: Corpus
) -> None:
    prepared = preparation_of(tiny_corpus)
    prediction_QD = copy_last(prepared)
    # one in four is perfect
    target_Q = torch.from_numpy(prepared.suite.windows.target_rows)
    prediction_QD[::4] = prepared.vectors[target_Q[::4]]

    found = choose(prepared, prediction_QD, seed=0)

    assert found["pool"] == "documents"
    assert found["num_candidates"] == prepared.suite.pool("documents").size
    ranks = [window["rank"] for window in found["windows"]]
    assert [rank <= 5 for rank in ranks] == [True] * 3 + [False] * 3
    measured = prepared.judge.rankers["documents"].ranks(prediction_QD)
    windows = prepared.suite.windows
    rank_of = dict(zip(windows.target_rows.tolist(), measured.tolist(), strict=True))
    for window in found["windows"]:
        row = tiny_corpus.row_of_id[window["target"]["id"]]
        assert window["rank"] == rank_of[row]


def test_an_example_is_what_the_corpus_holds(
    preparation_of: Prepare, tiny_corpus: Corpus
) -> None:
    prepared = preparation_of(tiny_corpus)

    found = choose(prepared, copy_last(prepared), seed=0)

    for window in found["windows"]:
        document, position = window["document"], window["position"]
        assert window["target"] == {"id": f"{document}#{position}"}
        before = [f"{document}#{position - n}" for n in (3, 2, 1)]
        assert [entry["id"] for entry in window["context"]] == before
        neighbors = window["neighbors"]
        assert len(neighbors) == 5
        scores = [entry["score"] for entry in neighbors]
        assert scores == sorted(scores, reverse=True)
        marks = [entry["is_target"] for entry in neighbors]
        assert sum(marks) == (window["rank"] <= 5)
        if window["rank"] <= 5:
            assert marks[window["rank"] - 1]
        for entry in neighbors:
            owner, place = entry["id"].split("#")
            assert entry["is_same_document"] == (owner == document)
            is_context = position - 100 <= int(place) < position
            assert not (owner == document and is_context)


def test_ties_count_against_the_target(
    preparation_of: Prepare, tiny_corpus: Corpus
) -> None:
    prepared = preparation_of(tiny_corpus)
    nothing_QD = torch.zeros_like(copy_last(prepared))

    found = choose(prepared, nothing_QD, seed=0)

    # all candidates score 0, so the target comes last, and there is no hit
    assert len(found["windows"]) == 3
    for window in found["windows"]:
        assert window["rank"] == found["num_candidates"] - 100


def test_the_seed_decides_the_choice(
    preparation_of: Prepare, tiny_corpus: Corpus
) -> None:
    prepared = preparation_of(tiny_corpus)
    prediction_QD = copy_last(prepared)

    first, again, *others = (
        choose(prepared, prediction_QD, seed=seed) for seed in (0, 0, 1, 2, 3)
    )

    assert first == again
    assert any(other != first for other in others)


def test_texts_are_short_and_on_one_line(
    preparation_of: Prepare, tiny_corpus: Corpus
) -> None:
    prepared = preparation_of(with_texts(tiny_corpus))

    found = choose(prepared, copy_last(prepared), seed=0)

    entries: list[dict[str, Any]] = []
    for window in found["windows"]:
        entries += [*window["context"], window["target"], *window["neighbors"]]
    for entry in entries:
        assert entry["text"].startswith(f"text of {entry['id']} x")
        assert len(entry["text"]) == MAX_TEXT
        assert entry["text"].endswith("…")


@pytest.mark.parametrize("length", [MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1])
def test_a_text_is_cut_only_if_it_must_be(length: int) -> None:
    text = "y" * length

    assert len(shorten(text)) == min(length, MAX_TEXT)
    assert (shorten(text) == text) == (length <= MAX_TEXT)


def test_sessions_have_examples_too(
    preparation_of: Prepare, make_items: Callable[..., Corpus]
) -> None:
    corpus = make_items([110] * 12)
    prepared = preparation_of(corpus)

    found = choose(prepared, copy_last(prepared), seed=0)

    assert found["windows"]
    for window in found["windows"]:
        items = {
            corpus.ids[row]
            for row in corpus.sequence(corpus.document_ids.index(window["document"]))
        }
        assert {entry["id"] for entry in window["context"]} <= items
        for entry in window["neighbors"]:
            assert entry["is_same_document"] == (entry["id"] in items)


def test_a_card_keeps_its_examples(finished_run: Path) -> None:
    found = read_checkpoint_card(finished_run)["examples"]

    assert 1 <= len(found["windows"]) <= 6
    assert "text" not in found["windows"][0]["target"]
